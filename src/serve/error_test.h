// What the tests of this folder share: which error an action ends with.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace tulou::serve {

struct Failure {
  std::string id, field;
  bool operator==(const Failure&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Failure& failure) {
  return out << failure.id << " of " << failure.field;
}

// The id of the Error and its first argument; empty if there is none.
template <typename Action>
Failure failure_of(Action&& action) {
  try {
    action();
  } catch (const base::Error& error) {
    return {error.id(), error.arguments().empty() ? "" : error.arguments()[0]};
  }
  return {};
}

}  // namespace tulou::serve
