// What the large JSON files of a checkpoint share: simdjson On-Demand with errors that name the
// file and the byte, and strings that point into the text instead of being copied.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <deque>
#include <new>
#include <string>
#include <string_view>

#include "base/error.h"

namespace tulou::checkpoint {

namespace ondemand = simdjson::ondemand;

// One document over `text`, which must have simdjson::SIMDJSON_PADDING readable bytes after its
// end. `base` is where the text begins in its file, for messages.
class JsonReader {
 public:
  JsonReader(std::string_view text, std::string_view source, uint64_t base)
      : text_(text), source_(source), base_(base) {
    check(parser_.iterate(text.data(), text.size(), text.size() + simdjson::SIMDJSON_PADDING)
              .get(document_));
    started_ = true;
  }

  ondemand::object root() {
    ondemand::object object;
    check(document_.get_object().get(object));
    return object;
  }

  // Only white space may follow the root.
  void finish() {
    const char* location = nullptr;  // simdjson reports the end of the document as an error
    if (document_.current_location().get(location) == simdjson::SUCCESS)
      invalid("there is more text after the object");
  }

  void check(simdjson::error_code error) {
    if (error == simdjson::MEMALLOC) throw std::bad_alloc();
    if (error != simdjson::SUCCESS) invalid(simdjson::error_message(error));
  }

  template <typename T>
  T checked(simdjson::simdjson_result<T> result) {
    T value;
    check(std::move(result).get(value));
    return value;
  }

  // A string: a view of the text, or of a copy that lives in `escaped` if it was written with
  // escapes. simdjson's own unescaping is not used: in 3.0 it writes through a null pointer if its
  // buffer could not be allocated.
  std::string_view string(ondemand::raw_json_string raw, std::deque<std::string>& escaped) {
    const char* end = raw.raw();
    while (*end != '"' && *end != '\\') ++end;  // the closing quote is there: simdjson has seen it
    if (*end == '"') return {raw.raw(), static_cast<size_t>(end - raw.raw())};
    return escaped.emplace_back(unescape(raw.raw()));
  }
  std::string_view key(ondemand::field& field, std::deque<std::string>& escaped) {
    return string(field.key(), escaped);
  }

  // Where a view of the text lies in the file.
  uint64_t offset_of(const char* place) const {
    return base_ + static_cast<uint64_t>(place - text_.data());
  }

  [[noreturn]] void invalid(std::string_view reason) {
    const char* location = nullptr;
    const bool known = started_ &&
                       document_.current_location().get(location) == simdjson::SUCCESS &&
                       location >= text_.data() && location <= text_.data() + text_.size();
    throw base::Error("json.invalid", source_, known ? offset_of(location) : base_ + text_.size(),
                      reason);
  }

  const std::string& source() const { return source_; }

 private:
  // What stands from here to the closing quote.
  std::string unescape(const char* at);
  // Four hexadecimal digits.
  uint32_t hex4(const char* at);
  std::string_view text_;
  std::string source_;
  uint64_t base_;
  ondemand::parser parser_;
  ondemand::document document_;
  bool started_ = false;  // simdjson knows no place before
};

}  // namespace tulou::checkpoint
