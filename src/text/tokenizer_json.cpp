// Reads tokenizer.json: the large parts (vocabulary, merges) in one pass over the text, the small
// ones as values that are compared with what this program implements.
#include <simdjson.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_data.h"

namespace tulou::text {
namespace {

namespace od = simdjson::ondemand;
using base::Error;
using base::Json;
using base::JsonObject;

// The small parts together may have this many bytes.
constexpr size_t kMaxSmallPart = 64u << 20;

class Reader {
 public:
  Reader(const std::string& source, size_t size) : source_(source), size_(size) {}

  TokenizerData read(od::document& document) {
    data_.name = source_;
    std::set<std::string, std::less<>> seen;
    for (auto entry : check(document.get_object())) {
      auto field = check(std::move(entry));
      const std::string key(check(field.unescaped_key()));
      if (!seen.insert(key).second) throw Error("json.duplicate_key", source_, key);
      if (key == "model") {
        read_model(check(field.value().get_object()));
      } else if (key == "added_tokens") {
        read_added_tokens(small(field.value()));
      } else if (key == "normalizer") {
        read_normalizer(small(field.value()));
      } else if (key == "pre_tokenizer") {
        read_pre_tokenizer(small(field.value()));
      } else if (key == "post_processor") {
        read_post_processor(small(field.value()));
      } else if (key == "decoder") {
        read_decoder(small(field.value()));
      } else if (key != "version" && key != "truncation" && key != "padding") {
        // Truncation and padding are for batches of training data: prompts are never cut.
        unsupported("the part \"" + base::printable(key) + "\"");
      }
    }
    for (const char* key : {"model", "pre_tokenizer", "decoder"})
      if (!seen.contains(key)) throw Error("json.missing_key", source_, key);
    const char* location = nullptr;
    if (document.current_location().get(location) == simdjson::SUCCESS)
      throw Error("json.invalid", source_, size_, "there is more text after the value");
    return std::move(data_);
  }

 private:
  [[noreturn]] void unsupported(const std::string& what) const {
    throw Error("tokenizer.unsupported", source_, what);
  }
  [[noreturn]] void corrupt(const std::string& what) const {
    throw Error("tokenizer.corrupt", source_, what);
  }

  template <typename T>
  T check(simdjson::simdjson_result<T> result) const {
    T value;
    const auto error = std::move(result).get(value);
    if (error != simdjson::SUCCESS)
      throw Error("json.invalid", source_, size_, simdjson::error_message(error));
    return value;
  }

  // A part of moderate size as a value.
  Json small(od::value value) const {
    std::string_view text;
    switch (check(value.type())) {
      case od::json_type::array:
        text = check(check(value.get_array()).raw_json());
        break;
      case od::json_type::object:
        text = check(check(value.get_object()).raw_json());
        break;
      default:
        text = value.raw_json_token();
        // The token may be followed by white space.
        text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    }
    if (text.size() > kMaxSmallPart) throw Error("text.too_long", text.size(), kMaxSmallPart);
    return base::parse_json(text, source_);
  }

  void read_model(od::object model) {
    bool has_vocabulary = false, has_merges = false;
    std::set<std::string, std::less<>> seen;
    for (auto entry : model) {
      auto field = check(std::move(entry));
      const std::string key(check(field.unescaped_key()));
      if (!seen.insert(key).second) throw Error("json.duplicate_key", source_, key);
      od::value value = field.value();
      if (key == "vocab") {
        if (check(value.type()) != od::json_type::object) unsupported("a model that is not BPE");
        read_vocabulary(check(value.get_object()));
        has_vocabulary = true;
      } else if (key == "merges") {
        read_merges(check(value.get_array()));
        has_merges = true;
      } else {
        check_model_option(key, small(value));
      }
    }
    if (!has_vocabulary) throw Error("json.missing_key", source_, "vocab");
    if (!has_merges) throw Error("json.missing_key", source_, "merges");
  }

  void check_model_option(const std::string& key, const Json& value) {
    const bool off = value.is_null() || value == false ||
                     (value.is_string() && value.get_ref<const std::string&>().empty()) ||
                     (value.is_number() && value.get<double>() == 0);
    if (key == "type") {
      if (value != "BPE") unsupported("the model " + base::to_json_text(value));
    } else if (key == "unk_token") {
      data_.has_unknown_token = !value.is_null();
    } else if (key == "fuse_unk") {
      // Only matters for an unknown token, which is never produced.
    } else if (key == "dropout" || key == "continuing_subword_prefix" ||
               key == "end_of_word_suffix" || key == "byte_fallback" || key == "ignore_merges") {
      if (!off) unsupported("the model's " + key + " " + base::to_json_text(value));
    } else {
      unsupported("the model's option \"" + base::printable(key) + "\"");
    }
  }

  void read_vocabulary(od::object vocabulary) {
    data_.tokens.reserve(size_ / 64, size_ / 8);
    // Ids have few gaps, and a token takes some bytes: a small file cannot ask for a large table.
    const size_t max_tokens = std::min(kMaxTokens, size_);
    for (auto entry : vocabulary) {
      auto field = check(std::move(entry));
      const std::string_view text = check(field.unescaped_key());
      const uint64_t id = check(field.value().get_uint64());
      if (id >= max_tokens)
        corrupt("token " + base::to_text(id) + ", allowed are 0 to " +
                base::to_text(max_tokens - 1));
      if (text.empty()) continue;  // byte pair merging never makes it
      if (id < data_.tokens.size() && !data_.tokens[id].empty())
        corrupt("two tokens have the id " + base::to_text(id));
      data_.tokens.set(id, text);
    }
  }

  void read_merges(od::array merges) {
    data_.merges.reserve(size_ / 64, size_ / 8);
    std::string joined;
    for (auto entry : merges) {
      od::value merge = check(std::move(entry));
      if (check(merge.type()) == od::json_type::string) {
        data_.merges.push_back(check(merge.get_string()));
      } else {
        joined.clear();
        size_t parts = 0;
        for (auto part : check(merge.get_array())) {
          const std::string_view text = check(check(std::move(part)).get_string());
          if (text.find(' ') != std::string_view::npos) corrupt("a merge of a token with a space");
          joined += (parts++ == 0 ? "" : " ");
          joined += text;
        }
        if (parts != 2) corrupt("a merge of " + base::to_text(parts) + " tokens");
        data_.merges.push_back(joined);
      }
      if (data_.merges.size() > kMaxTokens)
        corrupt("more than " + base::to_text(kMaxTokens) + " merges");
    }
  }

  void read_added_tokens(const Json& list) {
    if (!list.is_array() && !list.is_null())
      throw Error("json.wrong_type", source_, "added_tokens", "an array");
    for (const Json& item : list) {
      const JsonObject object(item, source_ + ": added_tokens");
      AddedToken token;
      token.content = object.string("content");
      token.id = static_cast<int32_t>(object.integer("id", 0, kMaxTokens - 1));
      token.special = object.boolean("special", false);
      token.lstrip = object.boolean("lstrip", false);
      token.rstrip = object.boolean("rstrip", false);
      token.single_word = object.boolean("single_word", false);
      token.normalized = object.boolean("normalized", !token.special);
      if (!token.content.empty()) data_.added.push_back(std::move(token));
    }
  }

  static std::string type_of(const Json& part) {
    return part.is_object() ? JsonObject(part, "").string("type", "") : "";
  }

  void read_normalizer(const Json& normalizer) {
    if (normalizer.is_null()) return;
    if (type_of(normalizer) != "NFC")
      unsupported("the normalizer " + base::to_json_text(normalizer));
    data_.nfc = true;
  }

  // The members of a Sequence, or the part alone.
  static std::vector<Json> parts_of(const Json& part, const char* members) {
    if (part.is_null()) return {};
    if (type_of(part) != "Sequence") return {part};
    const Json& list = JsonObject(part, "").get(members);
    return list.is_array() ? std::vector<Json>(list.begin(), list.end()) : std::vector<Json>{part};
  }

  // True if the part is ByteLevel with these settings (absent ones as the library's defaults).
  bool is_byte_level(const Json& part, bool use_regex) const {
    if (type_of(part) != "ByteLevel") return false;
    const JsonObject object(part, source_);
    return !object.boolean("add_prefix_space", true) &&
           object.boolean("use_regex", true) == use_regex;
  }

  void read_pre_tokenizer(const Json& value) {
    const std::vector<Json> parts = parts_of(value, "pretokenizers");
    if (parts.size() == 1 && is_byte_level(parts[0], true)) {
      data_.pre_tokenizer = PreTokenizer::kGpt2;
    } else if (parts.size() == 2 && type_of(parts[0]) == "Digits" &&
               JsonObject(parts[0], source_).boolean("individual_digits", false) &&
               is_byte_level(parts[1], true)) {
      data_.pre_tokenizer = PreTokenizer::kSmolLM;
    } else if (parts.size() == 2 && type_of(parts[0]) == "Split" &&
               is_byte_level(parts[1], false)) {
      read_split(JsonObject(parts[0], source_));
    } else {
      unsupported("the pre-tokenizer " + base::to_json_text(value));
    }
  }

  void read_split(const JsonObject& split) {
    const Json& pattern = split.get("pattern");
    const std::string regex =
        pattern.is_object() ? JsonObject(pattern, source_).string("Regex", "") : "";
    const bool isolated = split.string("behavior", "") == "Isolated";
    if (isolated && !split.boolean("invert", false) && regex == kQwen2Regex) {
      data_.pre_tokenizer = PreTokenizer::kQwen2;
    } else if (isolated && !split.boolean("invert", false) && regex == kQwen35Regex) {
      data_.pre_tokenizer = PreTokenizer::kQwen35;
    } else {
      unsupported("the pre-tokenizer " + base::to_json_text(split.value()));
    }
  }

  void read_decoder(const Json& decoder) {
    if (type_of(decoder) != "ByteLevel") unsupported("the decoder " + base::to_json_text(decoder));
  }

  void read_post_processor(const Json& value) {
    for (const Json& part : parts_of(value, "processors")) {
      if (type_of(part) == "ByteLevel") continue;  // only changes offsets
      if (type_of(part) != "TemplateProcessing")
        unsupported("the post-processor " + base::to_json_text(part));
      read_template(JsonObject(part, source_));
    }
  }

  // {"single": [special tokens, the text, special tokens], "special_tokens": {name: {"ids": ...}}}
  void read_template(const JsonObject& object) {
    const Json& items = object.get("single");
    if (!items.is_array()) throw Error("json.wrong_type", source_, "single", "an array");
    bool after_text = false;
    for (const Json& item : items) {
      const JsonObject piece(item, source_ + ": single");
      if (piece.has("Sequence")) {
        if (after_text) unsupported("a post-processor that repeats the text");
        after_text = true;
        continue;
      }
      const std::string name = piece.object("SpecialToken").string("id");
      const Json& ids = object.object("special_tokens").object(name).get("ids");
      if (!ids.is_array()) throw Error("json.wrong_type", source_, "ids", "an array");
      for (const Json& id : ids) {
        if (!id.is_number_integer() || id < 0 || id >= kMaxTokens)
          throw Error("json.wrong_type", source_, "ids", "an array of token ids");
        (after_text ? data_.appended : data_.prepended).push_back(id.get<int32_t>());
      }
    }
    if (!after_text) unsupported("a post-processor that leaves out the text");
  }

  const std::string source_;
  size_t size_;
  TokenizerData data_;
};

}  // namespace

TokenizerData parse_tokenizer_json(std::string_view json, const std::string& source) {
  if (json.size() > kMaxTokenizerFileBytes)
    throw Error("file.too_large", source, json.size(), kMaxTokenizerFileBytes);
  const simdjson::padded_string padded(json);
  od::parser parser;
  od::document document;
  const auto error = parser.iterate(padded).get(document);
  if (error != simdjson::SUCCESS)
    throw Error("json.invalid", source, json.size(), simdjson::error_message(error));
  return Reader(source, json.size()).read(document);
}

}  // namespace tulou::text
