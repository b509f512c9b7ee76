// Damage of every kind to a 64 KiB model of each format: it throws base::Error or loads, and
// nothing outside of its bytes is read.
#include <gtest/gtest.h>

#include <map>
#include <new>
#include <random>

#include "base/number.h"
#include "checkpoint/allocation_meter.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/gguf.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/test_files.h"

namespace tulou::checkpoint {
namespace {

using namespace test;

constexpr size_t kModelBytes = 64 << 10;
constexpr int kNumLayers = 12;  // few: some tests parse the header 65,536 times

std::string noise(size_t size) {
  std::mt19937 random(7);
  std::string data(size, '\0');
  for (char& c : data) c = static_cast<char>(random());
  return data;
}

// A few small tensors and a large one to fill up, with names as models have them.
std::string safetensors_model() {
  SafetensorsBuilder builder;
  builder.add_entry(R"("__metadata__":{"format":"pt"})");
  for (int i = 0; i < kNumLayers; ++i)
    builder.add("model.layers." + std::to_string(i) + ".self_attn.q_proj.weight",
                i % 2 ? "BF16" : "F32", {4, 4}, noise(i % 2 ? 32 : 64));
  const size_t so_far = builder.build().size();
  const size_t rest = kModelBytes - so_far - 128;
  builder.add("lm_head.weight", "U8", {rest}, noise(rest));
  return builder.build();
}

std::string gguf_model() {
  GgufBuilder builder;
  builder.set<std::string>("general.architecture", "qwen3")
      .set<uint32_t>("qwen3.block_count", kNumLayers);
  builder.set("qwen3.rope.freq_base", 1e6f).set("tokenizer.ggml.add_bos_token", false);
  std::vector<std::string> tokens;
  for (int i = 0; i < 20; ++i) tokens.push_back("token" + std::to_string(i));
  builder.set("tokenizer.ggml.tokens", tokens);
  builder.set("tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0.5f));
  builder.set("tokenizer.ggml.token_type", std::vector<int32_t>(tokens.size(), 1));
  builder.set("qwen3.rope.dimension_sections", std::vector<uint64_t>{11, 11, 10, 0});
  for (int i = 0; i < kNumLayers; ++i)
    builder.add("blk." + std::to_string(i) + ".attn_q.weight", i % 2 ? 8 : 0, {2, 32},
                noise(i % 2 ? 68 : 256));
  const size_t rest = (kModelBytes - builder.build().size() - 128) / 18 * 18;
  builder.add("output.weight", 2, {rest / 18, 32}, noise(rest));
  return builder.build();
}

unsigned touch(const TensorEntry& entry) {
  if (entry.view.data == nullptr || entry.bytes == 0) return 0;
  return static_cast<unsigned>(entry.view.data[0]) +
         static_cast<unsigned>(entry.view.data[entry.bytes - 1]);
}

// Loads as far as it goes and uses everything it gives.
void use_safetensors(std::span<const std::byte> file) {
  unsigned sum = 0;
  for (const TensorEntry& entry : parse_safetensors(file, "model")) {
    ASSERT_TRUE(!entry.usable || entry.view.bytes() == entry.bytes);
    ASSERT_LE(entry.offset + entry.bytes, file.size());
    sum += touch(entry);
  }
  (void)sum;
}

// Every accessor on one key: each gives a value or an Error.
void use_value(const GgufMetadata& metadata, const GgufValue& value) {
  ASSERT_FALSE(display_text(value).empty());
  const auto& key = value.key;
  size_t worked = 0;
  const auto count = [&](auto&& action) { worked += outcome(action).empty() ? 1 : 0; };
  count([&] { (void)metadata.integer(key, INT64_MIN, INT64_MAX); });
  count([&] { (void)metadata.number(key); });
  count([&] { (void)metadata.boolean(key); });
  count([&] { (void)metadata.string(key); });
  count([&] { (void)metadata.strings(key); });
  count([&] { (void)metadata.integers(key, INT64_MIN, INT64_MAX); });
  count([&] { (void)metadata.numbers(key); });
  count([&] { (void)metadata.booleans(key); });
  // An integer is a number too; an array without items is of any type of number.
  ASSERT_LE(worked, 3u) << key;
}

// Uses every tensor, and one key or all of them.
void use_tensors_and(const GgufFile& parsed, std::span<const GgufValue> keys,
                     std::span<const std::byte> file) {
  for (const GgufValue& value : keys) use_value(parsed.metadata, value);
  unsigned sum = 0;
  for (const TensorEntry& entry : parsed.tensors) {
    ASSERT_TRUE(!entry.usable || entry.view.bytes() == entry.bytes);
    ASSERT_LE(entry.offset + entry.bytes, file.size());
    sum += touch(entry);
  }
  (void)sum;
}

void use_gguf_wholly(std::span<const std::byte> file) {
  const GgufFile parsed = parse_gguf(file, "model");
  use_tensors_and(parsed, parsed.metadata.values(), file);
}

// The keys in turn, one a file: most accessors throw, and that is slow with sanitizers.
void use_gguf(std::span<const std::byte> file) {
  static size_t turn = 0;
  const GgufFile parsed = parse_gguf(file, "model");
  const auto keys = parsed.metadata.values();
  use_tensors_and(parsed, keys.empty() ? keys : keys.subspan(turn++ % keys.size(), 1), file);
}

using Use = void (*)(std::span<const std::byte>);

// Truncation at every byte: an error that names the file and a byte.
void truncate_everywhere(const std::string& model, Use use) {
  use(as_bytes(model));
  ASSERT_NEAR(static_cast<double>(model.size()), kModelBytes, 256);
  GuardedBytes guarded(model.size());
  std::map<std::string, size_t> ids;
  for (size_t size = 0; size < model.size(); ++size) {
    const auto file = guarded.hold(std::string_view(model).substr(0, size));
    try {
      use(file);
      FAIL() << "no error at " << size;
    } catch (const base::Error& error) {
      ++ids[error.id()];
      const std::string_view message = error.what();
      ASSERT_EQ(message.rfind("model: ", 0), 0u) << message;
      ASSERT_NE(message.find("byte"), std::string_view::npos) << message;
    }
  }
  for (const auto& [id, count] : ids) testing::Test::RecordProperty(id, std::to_string(count));
}

TEST(Hostile, SafetensorsTruncatedAtEveryByte) {
  truncate_everywhere(safetensors_model(), use_safetensors);
}
TEST(Hostile, GgufTruncatedAtEveryByte) { truncate_everywhere(gguf_model(), use_gguf); }

// One to three flipped bits, most of them in the header.
void flip_bits(const std::string& model, size_t header, Use use) {
  std::mt19937_64 random(11);
  GuardedBytes guarded(model.size());
  size_t loaded = 0;
  for (int round = 0; round < 10000; ++round) {
    std::string damaged = model;
    for (uint64_t flips = round % 2 == 0 ? 1 : 1 + random() % 3; flips > 0; --flips) {
      const size_t at = random() % (round % 10 == 9 ? model.size() : header);
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
    }
    const auto file = guarded.hold(damaged);
    loaded += outcome([&] { use(file); }).empty() ? 1 : 0;
    ASSERT_FALSE(testing::Test::HasFatalFailure());
  }
  testing::Test::RecordProperty("loaded", std::to_string(loaded));
  EXPECT_GT(loaded, 0u);  // a flip in a name or in data does no harm
  EXPECT_LT(loaded, 9000u);
}

TEST(Hostile, SafetensorsFlippedBits) {
  const std::string model = safetensors_model();
  uint64_t header = 0;
  std::memcpy(&header, model.data(), sizeof header);
  flip_bits(model, header + 8, use_safetensors);
}
TEST(Hostile, GgufFlippedBits) {
  const std::string model = gguf_model();
  flip_bits(model, parse_gguf(as_bytes(model), "m").data_offset, use_gguf);
}

constexpr uint64_t kExtremes[] = {
    0, uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 61, uint64_t{INT64_MAX}, UINT64_MAX};

// Extreme numbers over every place of the header: whatever count, length, extent or offset stands
// there.
TEST(Hostile, GgufExtremeNumbersEverywhere) {
  std::string model = gguf_model();
  const size_t header = parse_gguf(as_bytes(model), "m").data_offset;
  const size_t before = AllocationMeter::live();
  AllocationMeter::reset_peak();
  for (const uint64_t value : kExtremes) {
    for (size_t at = 0; at + 8 <= header; ++at) {
      const std::string right = model.substr(at, 8);
      model.replace(at, 8, raw(value));
      (void)outcome([&] { use_gguf(as_bytes(model)); });
      ASSERT_FALSE(testing::Test::HasFatalFailure());
      model.replace(at, 8, right);
    }
  }
  EXPECT_LT(AllocationMeter::peak() - before, 8u << 20);
}

// The same for safetensors, where numbers are text: each number is replaced in turn.
TEST(Hostile, SafetensorsExtremeNumbersEverywhere) {
  const std::string model = safetensors_model();
  uint64_t size = 0;
  std::memcpy(&size, model.data(), sizeof size);
  for (const uint64_t value : kExtremes) {
    std::string damaged = model;
    damaged.replace(0, 8, raw(value));
    GuardedBytes guarded(model.size());
    EXPECT_NE(outcome([&] { use_safetensors(guarded.hold(damaged)); }), "") << value;
  }
  const std::string header = model.substr(8, size), data = model.substr(8 + size);
  size_t replaced = 0;
  for (size_t at = header.find("\"shape\""); at < header.size(); ++at) {
    const bool starts =
        (header[at - 1] == '[' || header[at - 1] == ',') && header[at] >= '0' && header[at] <= '9';
    if (!starts) continue;
    const size_t end = header.find_first_not_of("0123456789", at);
    for (const uint64_t value : kExtremes) {
      std::string other = header;
      other.replace(at, end - at, base::to_text(value));
      const std::string file = SafetensorsBuilder::file(other, data);
      GuardedBytes guarded(file.size());
      const std::string id = outcome([&] { use_safetensors(guarded.hold(file)); });
      EXPECT_TRUE(!id.empty() || other == header) << other.substr(at - 20, 60);
    }
    ++replaced;
  }
  EXPECT_EQ(replaced, kNumLayers * 4 + 3u);
}

// An array that claims another type of items: read as that type, or refused; never beyond the file.
TEST(Hostile, GgufElementTypeSwap) {
  const std::string model = gguf_model();
  const GgufFile parsed = parse_gguf(as_bytes(model), "m");
  GuardedBytes guarded(model.size());
  size_t swaps = 0;
  for (const GgufValue& value : parsed.metadata.values()) {
    for (uint32_t type = 0; type < 16; ++type) {
      if (type == static_cast<uint32_t>(value.element_type)) continue;
      std::string damaged = model;
      // Of an array the item type stands where the value begins; of a scalar, just before.
      const bool is_array = value.type == GgufType::kArray;
      damaged.replace(value.offset - (is_array ? 0 : 4), 4, raw(type));
      const auto file = guarded.hold(damaged);
      (void)outcome([&] { use_gguf_wholly(file); });
      ASSERT_FALSE(testing::Test::HasFatalFailure());
      ++swaps;
    }
  }
  EXPECT_EQ(swaps, 8u * 15);
}

// Memory that runs out at any allocation: std::bad_alloc or the right answer, and nothing leaks.
void starve(const std::string& model, Use use) {
  if (!AllocationMeter::available()) GTEST_SKIP() << "needs its own operator new";
  const auto file = as_bytes(model);
  use(file);  // whatever is made once
  const size_t before = AllocationMeter::live();
  size_t n = 0;
  bool failed = true;
  while (failed && n < 100000) {
    AllocationMeter::fail_at(++n);
    bool threw = false;
    try {
      use(file);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    AllocationMeter::fail_at(0);
    failed = AllocationMeter::failed();
    ASSERT_TRUE(failed || !threw) << n;  // what fails may also have been memory that is not needed
    ASSERT_EQ(AllocationMeter::live(), before) << n;
  }
  EXPECT_FALSE(failed);
  EXPECT_GT(n, 10u);
}

TEST(Hostile, SafetensorsWithoutMemory) {
  starve(safetensors_model(), [](auto file) { (void)parse_safetensors(file, "model"); });
}
TEST(Hostile, GgufWithoutMemory) {
  starve(gguf_model(), [](auto file) { (void)parse_gguf(file, "model"); });
}

}  // namespace
}  // namespace tulou::checkpoint
