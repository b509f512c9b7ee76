// Checks that something throws base::Error with an id, and gives its message.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/error.h"

namespace tulou::checkpoint::test {

// The message of the Error that `action` throws, "" (and a failure) if it throws none or has
// another id.
template <typename Action>
std::string error_of(std::string_view id, Action&& action) {
  try {
    action();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.id(), id) << error.what();
    return error.id() == id ? error.what() : "";
  }
  ADD_FAILURE() << "no error, expected " << id;
  return "";
}

// The id of the Error that `action` throws; "" if it throws nothing.
template <typename Action>
std::string outcome(Action&& action) {
  try {
    action();
  } catch (const base::Error& error) {
    return error.id();
  }
  return "";
}

}  // namespace tulou::checkpoint::test
