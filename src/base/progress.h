// How long work tells that it goes on. The work knows this interface; who shows it is elsewhere
// (cli).
#pragma once

#include <cstdint>
#include <string_view>

namespace tulou::base {

enum class ProgressUnit { kBytes, kTokens, kItems, kSeconds };

// Implementations decide how often to draw. Calls come from one thread. begin, any number of
// advances, end; steps do not nest.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void begin(std::string_view what, uint64_t total, ProgressUnit unit) = 0;
  virtual void advance(uint64_t done) = 0;  // done so far, of total
  virtual void end() = 0;
};

// Shows nothing.
class NoProgress final : public Progress {
 public:
  void begin(std::string_view, uint64_t, ProgressUnit) override {}
  void advance(uint64_t) override {}
  void end() override {}
};

}  // namespace tulou::base
