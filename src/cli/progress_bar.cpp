// Progress on standard error; see progress_bar.h.
#include "cli/progress_bar.h"

#include "base/number.h"
#include "cli/output.h"

namespace tulou::cli {

namespace {

using std::chrono::duration;
constexpr duration<double> kQuiet(1.0);         // before anything is shown
constexpr duration<double> kRedraw(0.1);        // on a terminal
constexpr duration<double> kRedrawPlain(10.0);  // between lines of a log
constexpr int kBarWidth = 24;

}  // namespace

ProgressBar::ProgressBar() : is_terminal_(messages_are_on_terminal()) {}

ProgressBar::~ProgressBar() { end(); }

void ProgressBar::begin(std::string_view what, uint64_t total, base::ProgressUnit unit) {
  what_ = base::printable(what);
  total_ = total;
  done_ = 0;
  unit_ = unit;
  begun_ = drawn_ = Clock::now();
  shown_ = false;
}

void ProgressBar::advance(uint64_t done) {
  done_ = done;
  const Clock::time_point now = Clock::now();
  const duration<double> interval = is_terminal_ ? kRedraw : kRedrawPlain;
  if (now - begun_ < kQuiet || (shown_ && now - drawn_ < interval)) return;
  drawn_ = now;
  shown_ = true;
  if (is_terminal_) {
    message_raw("\r" + what_ + " " + bar() + " " + amount() + "\x1b[K");
  } else {
    message_raw(what_ + ": " + amount() + "\n");
  }
}

void ProgressBar::end() {
  if (!shown_) return;
  shown_ = false;
  if (is_terminal_) message_raw("\r\x1b[K");
}

std::string ProgressBar::amount() const {
  const auto text = [&](uint64_t value) {
    switch (unit_) {
      case base::ProgressUnit::kBytes:
        return base::human_bytes(value);
      case base::ProgressUnit::kTokens:
        return base::to_text(value) + " tokens";
      case base::ProgressUnit::kSeconds:
        return base::to_text(value) + " s";
      case base::ProgressUnit::kItems:
        break;
    }
    return base::to_text(value);
  };
  return total_ == 0 ? text(done_) : text(done_) + " of " + text(total_);
}

std::string ProgressBar::bar() const {
  if (total_ == 0) return "";
  const double part = static_cast<double>(done_) / static_cast<double>(total_);
  const int filled = static_cast<int>(std::min(part, 1.0) * kBarWidth);
  return "[" + std::string(static_cast<size_t>(filled), '#') +
         std::string(static_cast<size_t>(kBarWidth - filled), '.') + "]";
}

}  // namespace tulou::cli
