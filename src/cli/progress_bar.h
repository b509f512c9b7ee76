// Shows on standard error how long work still goes on: a bar on a terminal, plain lines elsewhere,
// nothing at all for what is done within a second.
#pragma once

#include <chrono>
#include <string>

#include "base/progress.h"

namespace tulou::cli {

class ProgressBar final : public base::Progress {
 public:
  ProgressBar();
  ~ProgressBar() override;
  void begin(std::string_view what, uint64_t total, base::ProgressUnit unit) override;
  void advance(uint64_t done) override;
  void end() override;

 private:
  using Clock = std::chrono::steady_clock;
  std::string amount() const;
  std::string bar() const;

  bool is_terminal_;
  std::string what_;
  uint64_t total_ = 0, done_ = 0;
  base::ProgressUnit unit_ = base::ProgressUnit::kItems;
  Clock::time_point begun_, drawn_;
  bool shown_ = false;
};

}  // namespace tulou::cli
