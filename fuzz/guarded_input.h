// What the fuzz targets share: only base::Error may be thrown, and nothing is read beyond the
// input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.h"

namespace tulou::fuzz {

// A copy of the input on the heap, of its exact size, so that AddressSanitizer sees a read beyond.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : bytes_(new std::byte[size]), size_(size) {
    for (size_t i = 0; i < size; ++i) bytes_[i] = static_cast<std::byte>(data[i]);
  }
  std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.get()), size_}; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  size_t size_;
};

// Runs `action`; an Error is a fine outcome, any other exception ends the program.
template <typename Action>
void expect_only_errors(Action&& action) {
  try {
    action();
  } catch (const base::Error&) {
  }
}

}  // namespace tulou::fuzz
