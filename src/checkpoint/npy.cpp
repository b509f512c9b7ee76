#include "checkpoint/npy.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/number.h"

namespace tulou::checkpoint {
namespace {

using base::CheckedSize;

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kMaxHeaderBytes = 65536;

std::string header(uint64_t rows, uint64_t cols) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + base::to_text(rows) +
                     ", " + base::to_text(cols) + "), }";
  // The data begin at a multiple of 64; the header ends with a newline.
  const size_t before = kMagic.size() + 4;
  text.append(63 - (before + text.size()) % 64, ' ');
  text += '\n';
  std::string result(kMagic);
  result += {'\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  return result + text;
}

// Reads the header's Python dictionary: only the form that NumPy writes, keys in any order.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string_view source, uint64_t base)
      : text_(text), source_(source), base_(base) {}

  // The extents; everything else in the dictionary has but one value that is accepted.
  std::vector<uint64_t> shape() {
    std::vector<uint64_t> extents;
    bool has_descr = false, has_order = false, has_shape = false;
    expect("{");
    while (!accept("}")) {
      if (accept("'descr'")) {
        expect(":");
        if (!accept("'<f4'")) fail("'descr' is not '<f4'");
        once(has_descr);
      } else if (accept("'fortran_order'")) {
        expect(":");
        if (!accept("False")) fail("'fortran_order' is not False");
        once(has_order);
      } else {
        expect("'shape'");
        expect(":");
        extents = tuple();
        once(has_shape);
      }
      if (!accept(",")) {
        expect("}");
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("text after the header");
    if (!has_descr || !has_order || !has_shape) fail("a key of the header is missing");
    return extents;
  }

 private:
  std::vector<uint64_t> tuple() {
    std::vector<uint64_t> extents;
    expect("(");
    while (!accept(")")) {
      skip_space();
      const size_t end = std::min(text_.find_first_not_of("0123456789", at_), text_.size());
      const auto extent = base::parse_uint(text_.substr(at_, end - at_));
      if (!extent || extents.size() == 2) fail("'shape' is not one or two whole numbers");
      extents.push_back(*extent);
      at_ = end;
      if (!accept(",")) {
        expect(")");
        break;
      }
    }
    if (extents.empty()) fail("'shape' is not one or two whole numbers");
    return extents;
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void expect(std::string_view word) {
    if (!accept(word)) fail("expected " + std::string(word));
  }
  void once(bool& seen) {
    if (seen) fail("a key stands twice");
    seen = true;
  }
  [[noreturn]] void fail(const std::string& reason) const {
    throw base::Error("npy.invalid", source_, base_ + at_, reason);
  }

  std::string_view text_;
  std::string source_;
  uint64_t base_;
  size_t at_ = 0;
};

}  // namespace

NpyWriter::NpyWriter(const std::string& path, uint64_t rows, uint64_t cols)
    : file_(path), remaining_((CheckedSize(rows) * cols).value().value_or(0)) {
  ASSERT((CheckedSize(rows) * cols * sizeof(float)).valid());
  file_.write(header(rows, cols));
}

void NpyWriter::append(std::span<const float> values) {
  ASSERT(values.size() <= remaining_);
  file_.write(std::as_bytes(values));
  remaining_ -= values.size();
}

void NpyWriter::commit() {
  ASSERT(remaining_ == 0);
  file_.commit();
}

void write_npy(const std::string& path, uint64_t rows, uint64_t cols,
               std::span<const float> values) {
  NpyWriter writer(path, rows, cols);
  writer.append(values);
  writer.commit();
}

NpyArray parse_npy(std::span<const std::byte> file, std::string_view source) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(kMagic) || file.size() < 12)
    throw base::Error("npy.invalid", source, 0, "the first bytes are not a .npy header");
  const auto version = static_cast<uint8_t>(text[6]);
  if (version < 1 || version > 3)
    throw base::Error("npy.invalid", source, 6, "version " + base::to_text(version));
  // Version 1 has a 16-bit length of the header, the later ones 32 bits.
  uint32_t size = 0;
  const uint64_t length_bytes = version == 1 ? 2 : 4, begin = 8 + length_bytes;
  std::memcpy(&size, file.data() + 8, length_bytes);
  if (size > kMaxHeaderBytes || size > file.size() - begin)
    throw base::Error("npy.invalid", source, 8, "a header of " + base::to_text(size) + " bytes");
  const auto extents = HeaderReader(text.substr(begin, size), source, begin).shape();
  NpyArray array;
  array.rows = extents.size() == 2 ? extents[0] : 1;
  array.cols = extents.back();
  const uint64_t stored = file.size() - begin - size;
  const CheckedSize bytes = CheckedSize(array.rows) * array.cols * sizeof(float);
  if (!bytes.valid() || *bytes.value() != stored)
    throw base::Error("npy.invalid", source, begin + size,
                      base::to_text(stored) + " bytes of data do not fit the shape");
  array.values.resize(stored / sizeof(float));
  if (stored > 0) std::memcpy(array.values.data(), file.data() + begin + size, stored);
  return array;
}

NpyArray read_npy(const std::string& path, uint64_t max_bytes) {
  const std::string content = base::read_file(path, max_bytes);
  return parse_npy(std::as_bytes(std::span(content)), path);
}

}  // namespace tulou::checkpoint
