// Sizes that come from files: arithmetic that remembers an overflow instead of wrapping around.
#pragma once

#include <cstdint>
#include <optional>

namespace tulou::base {

// An unsigned 64-bit size. Once an operation overflows (or the divisor is 0) the value is poisoned,
// and so is everything computed from it; ask value() at the end.
class CheckedSize {
 public:
  constexpr CheckedSize(uint64_t value) : value_(value) {}  // implicit: a size is a valid start

  constexpr friend CheckedSize operator+(CheckedSize a, CheckedSize b) {
    CheckedSize sum(0);
    sum.valid_ = !__builtin_add_overflow(a.value_, b.value_, &sum.value_) && a.valid_ && b.valid_;
    return sum;
  }
  constexpr friend CheckedSize operator-(CheckedSize a, CheckedSize b) {
    CheckedSize difference(0);
    difference.valid_ =
        !__builtin_sub_overflow(a.value_, b.value_, &difference.value_) && a.valid_ && b.valid_;
    return difference;
  }
  constexpr friend CheckedSize operator*(CheckedSize a, CheckedSize b) {
    CheckedSize product(0);
    product.valid_ =
        !__builtin_mul_overflow(a.value_, b.value_, &product.value_) && a.valid_ && b.valid_;
    return product;
  }
  constexpr friend CheckedSize operator/(CheckedSize a, CheckedSize b) {
    CheckedSize quotient(b.value_ == 0 ? 0 : a.value_ / b.value_);
    quotient.valid_ = a.valid_ && b.valid_ && b.value_ != 0;
    return quotient;
  }
  // The next multiple of `alignment`.
  constexpr CheckedSize rounded_up(uint64_t alignment) const {
    return (*this + (alignment - 1)) / alignment * alignment;
  }

  constexpr bool valid() const { return valid_; }
  constexpr std::optional<uint64_t> value() const {
    return valid_ ? std::optional(value_) : std::nullopt;
  }
  // True only if valid and value() <= limit.
  constexpr bool at_most(uint64_t limit) const { return valid_ && value_ <= limit; }

 private:
  uint64_t value_ = 0;
  bool valid_ = true;
};

}  // namespace tulou::base
