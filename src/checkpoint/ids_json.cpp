#include "checkpoint/ids_json.h"

#include <simdjson.h>

#include <new>

#include "base/assert.h"
#include "base/error.h"
#include "base/file.h"
#include "base/number.h"

namespace tulou::checkpoint {
namespace {

namespace ondemand = simdjson::ondemand;
using base::Error;

constexpr uint64_t kMaxIdsBytes = 64u << 20;

class IdsParser {
 public:
  IdsParser(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  IdSequences parse() {
    check(parser_.iterate(text_).get(document_));
    started_ = true;
    ondemand::array array;
    if (document_.get_array().get(array) != simdjson::SUCCESS) {
      check_document();
      throw Error("ids.not_an_array", source_);
    }
    for (auto result : array) {
      ondemand::value item;
      check(std::move(result).get(item));
      ondemand::json_type type;
      check(item.type().get(type));
      read_item(item, type == ondemand::json_type::array);
    }
    finish();
    if (ids_.sequences.empty() && !ids_.nested) ids_.sequences.emplace_back();
    return std::move(ids_);
  }

 private:
  void read_item(ondemand::value item, bool is_array) {
    if (ids_.sequences.empty()) {
      ids_.nested = is_array;
      if (!is_array) ids_.sequences.emplace_back();
    }
    if (is_array != ids_.nested) throw Error("ids.not_an_array", source_);
    if (!is_array) return read_id(item);
    if (ids_.sequences.size() == kMaxSequences)
      throw Error("ids.too_many", source_, kMaxSequences, "lists");
    ids_.sequences.emplace_back();
    ondemand::array array;
    check(item.get_array().get(array));
    for (auto result : array) {
      ondemand::value id;
      check(std::move(result).get(id));
      read_id(id);
    }
  }

  void read_id(ondemand::value item) {
    auto& sequence = ids_.sequences.back();
    uint64_t id = 0;
    if (item.get_uint64().get(id) != simdjson::SUCCESS || id > INT32_MAX)
      throw Error("ids.not_ids", source_, sequence.size() + 1, ids_.sequences.size());
    if (++num_ids_ > kMaxIds) throw Error("ids.too_many", source_, kMaxIds, "ids");
    sequence.push_back(static_cast<int32_t>(id));
  }

  // Tells a document that is JSON but no array from one that is not JSON.
  void check_document() {
    ondemand::json_type type;
    check(document_.type().get(type));
  }

  void finish() {
    const char* location = nullptr;  // simdjson reports the end of the document as an error
    if (document_.current_location().get(location) == simdjson::SUCCESS)
      invalid("there is more text after the array");
  }

  void check(simdjson::error_code error) {
    if (error == simdjson::MEMALLOC) throw std::bad_alloc();
    if (error != simdjson::SUCCESS) invalid(simdjson::error_message(error));
  }

  [[noreturn]] void invalid(std::string_view reason) {
    const char* location = nullptr;
    const bool known = started_ &&
                       document_.current_location().get(location) == simdjson::SUCCESS &&
                       location >= text_.data() && location <= text_.data() + text_.size();
    throw Error("json.invalid", source_, known ? location - text_.data() : text_.size(), reason);
  }

  simdjson::padded_string text_;
  std::string source_;
  ondemand::parser parser_;
  ondemand::document document_;
  bool started_ = false;  // simdjson knows no place before
  IdSequences ids_;
  size_t num_ids_ = 0;
};

void append_list(std::string& text, const std::vector<int32_t>& ids) {
  text += '[';
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) text += ',';
    text += base::to_text(ids[i]);
  }
  text += ']';
}

}  // namespace

IdSequences parse_ids(std::string_view text, std::string_view source) {
  return IdsParser(text, source).parse();
}

IdSequences read_ids(const std::string& path) {
  return parse_ids(base::read_file(path, kMaxIdsBytes), path);
}

std::string ids_text(const IdSequences& ids) {
  ASSERT(ids.nested || ids.sequences.size() == 1);
  std::string text;
  if (!ids.nested) {
    append_list(text, ids.sequences.front());
    return text;
  }
  text += '[';
  for (size_t i = 0; i < ids.sequences.size(); ++i) {
    if (i > 0) text += ',';
    append_list(text, ids.sequences[i]);
  }
  return text + ']';
}

}  // namespace tulou::checkpoint
