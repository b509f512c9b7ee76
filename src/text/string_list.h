// A list of byte strings in one buffer: a vocabulary is hundreds of thousands of short ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace tulou::text {

// Elements can be set in any order; those never set are empty. Views stay valid until the next
// change. Error text.too_long above 4 GiB of bytes altogether.
class StringList {
 public:
  size_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  std::string_view operator[](size_t index) const {
    return std::string_view(bytes_).substr(places_[index].offset, places_[index].length);
  }

  void push_back(std::string_view text) { set(size(), text); }
  void set(size_t index, std::string_view text) {
    if (bytes_.size() + text.size() > UINT32_MAX)
      throw base::Error("text.too_long", bytes_.size() + text.size(), UINT32_MAX);
    if (index >= size()) places_.resize(index + 1);
    places_[index] = {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(text.size())};
    bytes_ += text;
  }
  void reserve(size_t elements, size_t bytes) {
    places_.reserve(elements);
    bytes_.reserve(bytes);
  }
  void shrink(size_t elements) {
    if (elements < size()) places_.resize(elements);
  }

 private:
  struct Place {
    uint32_t offset = 0, length = 0;
  };
  std::string bytes_;
  std::vector<Place> places_;
};

}  // namespace tulou::text
