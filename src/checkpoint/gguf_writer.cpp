#include "checkpoint/gguf_writer.h"

#include <array>
#include <bit>

#include "base/assert.h"
#include "checkpoint/gguf_types.h"

namespace tulou::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they stand");

uint64_t padded(uint64_t bytes) {
  return (bytes + GgufWriter::kAlignment - 1) / GgufWriter::kAlignment * GgufWriter::kAlignment;
}

}  // namespace

void GgufWriter::append_text(std::string& out, std::string_view text) {
  append_raw(out, static_cast<uint64_t>(text.size()));
  out += text;
}

void GgufWriter::begin_key(std::string_view key, GgufType type) {
  ASSERT(!file_);
  ++num_keys_;
  append_text(header_, key);
  append_raw(header_, static_cast<uint32_t>(type));
}

void GgufWriter::begin_array(std::string_view key, GgufType type, uint64_t count) {
  begin_key(key, GgufType::kArray);
  append_raw(header_, static_cast<uint32_t>(type));
  append_raw(header_, count);
}

void GgufWriter::set(std::string_view key, std::string_view text) {
  begin_key(key, GgufType::kString);
  append_text(header_, text);
}

void GgufWriter::set(std::string_view key, const std::vector<std::string>& texts) {
  begin_array(key, GgufType::kString, texts.size());
  for (const std::string& text : texts) append_text(header_, text);
}

void GgufWriter::copy(const GgufValue& value) {
  if (value.type == GgufType::kArray) {
    begin_array(value.key, value.element_type, value.count);
  } else {
    begin_key(value.key, value.type);
  }
  if (value.element_type == GgufType::kString) {
    for (const std::string_view text : value.strings) append_text(header_, text);
  } else {
    header_.append(reinterpret_cast<const char*>(value.data.data()), value.data.size());
  }
}

void GgufWriter::add_tensor(std::string_view name, tensor::DType dtype,
                            const tensor::Shape& shape) {
  ASSERT(!file_);
  append_text(infos_, name);
  append_raw(infos_, static_cast<uint32_t>(shape.rank));
  for (int i = shape.rank; i > 0; --i) append_raw(infos_, static_cast<uint64_t>(shape[i - 1]));
  append_raw(infos_, ggml_type_id(dtype));
  append_raw(infos_, data_bytes_);
  tensor_bytes_.push_back(tensor::row_bytes(dtype, shape.width()) *
                          static_cast<uint64_t>(shape.rows()));
  data_bytes_ += padded(tensor_bytes_.back());
}

std::string GgufWriter::prefix() const {
  std::string text = "GGUF";
  append_raw(text, uint32_t{3});
  append_raw(text, static_cast<uint64_t>(tensor_bytes_.size()));
  append_raw(text, num_keys_);
  return text;
}

uint64_t GgufWriter::file_bytes() const {
  return padded(prefix().size() + header_.size() + infos_.size()) + data_bytes_;
}

void GgufWriter::begin(const std::string& path) {
  ASSERT(!file_);
  file_.emplace(path);
  file_->write(prefix());
  file_->write(header_);
  file_->write(infos_);
  const uint64_t size = prefix().size() + header_.size() + infos_.size();
  pad(padded(size) - size);
}

void GgufWriter::pad(uint64_t bytes) {
  static constexpr std::array<std::byte, kAlignment> kZeros = {};
  file_->write(std::span(kZeros).first(bytes));
}

void GgufWriter::write(std::span<const std::byte> data) {
  ASSERT(file_ && next_ < tensor_bytes_.size() && data.size() <= tensor_bytes_[next_] - written_);
  file_->write(data);
  written_ += data.size();
  if (written_ < tensor_bytes_[next_]) return;
  pad(padded(written_) - written_);
  ++next_;
  written_ = 0;
}

void GgufWriter::commit() {
  ASSERT(file_ && next_ == tensor_bytes_.size());
  file_->commit();
}

}  // namespace tulou::checkpoint
