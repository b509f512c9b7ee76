// The index of a sharded safetensors set.
#include <simdjson.h>

#include <algorithm>
#include <map>

#include "checkpoint/json_reader.h"
#include "checkpoint/name_index.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shown.h"

namespace tulou::checkpoint {
namespace {

using base::Error;

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

class IndexParser {
 public:
  IndexParser(SafetensorsIndex& index, size_t size, std::string_view source)
      : index_(index), reader_({index.text.data(), size}, source, 0) {}

  void parse() {
    auto root = reader_.root();
    for (auto result : root) {
      auto field = reader_.checked(std::move(result));
      std::deque<std::string> escaped;
      const std::string_view key = reader_.key(field, escaped);
      if (key == "weight_map") {
        if (has_map_) throw Error("json.duplicate_key", reader_.source(), key);
        has_map_ = true;
        read_map(field.value());
      }
      // Anything else (metadata, total_size) is skipped: nothing depends on it.
    }
    reader_.finish();
    if (!has_map_) throw Error("json.missing_key", reader_.source(), "weight_map");
    name_shards();
  }

 private:
  void read_map(ondemand::value value) {
    ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS)
      throw Error("json.wrong_type", reader_.source(), "weight_map", "an object");
    for (auto result : object) {
      auto field = reader_.checked(std::move(result));
      const uint64_t offset = reader_.offset_of(field.key().raw());
      const std::string_view name = reader_.key(field, index_.escaped);
      if (name.size() > kMaxTensorNameBytes)
        throw Error("safetensors.name_too_long", reader_.source(), offset, name.size(),
                    kMaxTensorNameBytes);
      ondemand::raw_json_string raw;
      if (field.value().get_raw_json_string().get(raw) != simdjson::SUCCESS)
        throw Error("json.wrong_type", reader_.source(), shown(name), "a string");
      std::deque<std::string> escaped;
      const std::string_view shard = reader_.string(raw, escaped);
      if (!is_plain_file_name(shard))
        throw Error("checkpoint.bad_shard_name", reader_.source(), shown(name), offset,
                    shown(shard));
      index_.entries.push_back({name, number_of(shard)});
    }
  }

  uint32_t number_of(std::string_view shard) {
    const auto found = shards_.find(shard);
    if (found != shards_.end()) return found->second;
    if (shards_.size() == kMaxShards)
      throw Error("checkpoint.too_many_shards", reader_.source(), kMaxShards);
    return shards_.emplace(shard, static_cast<uint32_t>(shards_.size())).first->second;
  }

  // Numbers the shards in the order of their names.
  void name_shards() {
    std::vector<uint32_t> renumbered(shards_.size());
    for (const auto& [name, number] : shards_) {
      renumbered[number] = static_cast<uint32_t>(index_.shards.size());
      index_.shards.push_back(name);
    }
    for (auto& entry : index_.entries) entry.shard = renumbered[entry.shard];
  }

  SafetensorsIndex& index_;
  JsonReader reader_;
  std::map<std::string, uint32_t, std::less<>> shards_;
  bool has_map_ = false;
};

}  // namespace

SafetensorsIndex parse_safetensors_index(std::string text, std::string_view source) {
  SafetensorsIndex index;
  const size_t size = text.size();
  index.text = std::move(text);
  index.text.append(simdjson::SIMDJSON_PADDING, ' ');
  IndexParser(index, size, source).parse();
  const NameIndex names(index.entries.size(), [&](size_t i) { return index.entries[i].name; });
  if (const auto twice = names.duplicate())
    throw Error("safetensors.duplicate_tensor", source, shown(index.entries[twice->first].name));
  return index;
}

}  // namespace tulou::checkpoint
