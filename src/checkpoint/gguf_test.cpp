// GGUF: what is read, and every way in which a file can be wrong.
#include "checkpoint/gguf.h"

#include <gtest/gtest.h>

#include <ctime>

#include "base/number.h"
#include "checkpoint/allocation_meter.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/gguf_types.h"
#include "checkpoint/test_files.h"

namespace tulou::checkpoint {
namespace {

using namespace test;

constexpr uint64_t kBadCounts[] = {uint64_t{1} << 31, uint64_t{1} << 32,   uint64_t{1} << 61,
                                   uint64_t{1} << 63, uint64_t{INT64_MAX}, UINT64_MAX};

GgufFile parse(const std::string& file) { return parse_gguf(as_bytes(file), "m.gguf"); }

std::string error(std::string_view id, const GgufBuilder& builder) {
  const std::string file = builder.build();
  GuardedBytes guarded(file.size());
  return error_of(id, [&] { parse_gguf(guarded.hold(file), "m.gguf"); });
}

TEST(Gguf, ReadsTensors) {
  GgufBuilder builder;
  builder.set<std::string>("general.architecture", "qwen3");
  builder.add("w", 0, {2, 3}, std::string(24, 'w'));
  builder.add("q", 2, {3, 2, 64}, std::string(3 * 2 * 36, 'q'));
  builder.add("q8_k", 15, {256}, std::string(292, 'i'));
  builder.add("scalar", 30, {}, "ss");
  const std::string bytes = builder.build();
  const GgufFile file = parse_gguf(as_bytes(bytes), "m");
  EXPECT_EQ(file.version, 3u);
  ASSERT_EQ(file.tensors.size(), 4u);
  EXPECT_EQ(file.tensors[0].name, "w");
  EXPECT_EQ(file.tensors[0].view.shape, (tensor::Shape{2, 3}));
  EXPECT_EQ(file.tensors[0].view.data, as_bytes(bytes).data() + file.data_offset);
  EXPECT_EQ(file.tensors[1].view.shape, (tensor::Shape{3, 2, 64}));
  EXPECT_EQ(file.tensors[1].view.dtype, tensor::DType::kQ4_0);
  EXPECT_EQ(file.tensors[1].view.bytes(), 216u);
  EXPECT_EQ(file.tensors[1].offset % 32, 0u);
  EXPECT_EQ(file.tensors[2].stored_dtype, "Q8_K");
  EXPECT_FALSE(file.tensors[2].usable);
  EXPECT_EQ(file.tensors[2].view.data, nullptr);
  EXPECT_EQ(file.tensors[2].bytes, 292u);
  EXPECT_EQ(file.tensors[3].view.bytes(), 2u);
}

TEST(Gguf, KnowsEveryType) {
  int usable = 0;
  for (uint32_t id = 0; id < 64; ++id) {
    const GgmlType* type = find_ggml_type(id);
    if (type == nullptr) {
      error("gguf.unknown_tensor_type", GgufBuilder().add("t", id, {256}, std::string(2048, 'x')));
      continue;
    }
    GgufBuilder builder;
    builder.add("t", id, {2, 256},
                std::string(static_cast<size_t>(512 / type->block_size * type->block_bytes), 'x'));
    const GgufFile file = parse(builder.build());
    EXPECT_EQ(file.tensors[0].usable, type->dtype.has_value());
    EXPECT_EQ(file.tensors[0].stored_dtype, type->name);
    if (!type->dtype) continue;
    ++usable;
    EXPECT_EQ(tensor::name(*type->dtype), type->name);
    EXPECT_EQ(file.tensors[0].bytes, file.tensors[0].view.bytes());
  }
  EXPECT_EQ(usable, tensor::kNumDTypes);
}

TEST(Gguf, Metadata) {
  GgufBuilder builder;
  builder.set<uint8_t>("u8", 200).set<int8_t>("i8", -100).set<uint16_t>("u16", 60000);
  builder.set<int16_t>("i16", -30000).set<uint32_t>("u32", 4000000000u).set<int32_t>("i32", -7);
  builder.set<uint64_t>("u64", UINT64_MAX).set<int64_t>("i64", INT64_MIN).set("f32", 0.5f);
  builder.set("f64", 1e-6).set("yes", true).set("no", false).set<std::string>("text", "a\nb");
  builder.set("ints", std::vector<int32_t>{11, 11, 10, 0}).set("none", std::vector<float>{});
  builder.set("words", std::vector<std::string>{"x", "", "yz"});
  builder.set("flags", std::vector<uint8_t>{1, 2}).set_raw("two", raw<uint32_t>(7) + "\2");
  builder.set_raw("bools",
                  raw<uint32_t>(9) + raw<uint32_t>(7) + raw<uint64_t>(2) + std::string("\1\0", 2));
  const std::string bytes = builder.build();
  const GgufMetadata metadata = parse_gguf(as_bytes(bytes), "m").metadata;
  EXPECT_EQ(metadata.values().size(), 19u);
  EXPECT_EQ(metadata.integer("u8", 0, 200), 200);
  EXPECT_EQ(metadata.integer("i8", -100, 0), -100);
  EXPECT_EQ(metadata.integer("u16", 0, 60000), 60000);
  EXPECT_EQ(metadata.integer("i16", -30000, 0), -30000);
  EXPECT_EQ(metadata.integer("u32", 0, INT64_MAX), 4000000000);
  EXPECT_EQ(metadata.integer("i32", -7, -7, 5), -7);
  EXPECT_EQ(metadata.integer("i64", INT64_MIN, 0), INT64_MIN);
  EXPECT_EQ(metadata.integer("absent", 0, 9, 5), 5);
  EXPECT_EQ(metadata.number("f32"), 0.5);
  EXPECT_EQ(metadata.number("f64"), 1e-6);
  EXPECT_EQ(metadata.number("i32"), -7.0);
  EXPECT_EQ(metadata.number("u64"), 18446744073709551616.0);
  EXPECT_EQ(metadata.number("absent", 2.5), 2.5);
  EXPECT_TRUE(metadata.boolean("yes"));
  EXPECT_FALSE(metadata.boolean("no", true));
  EXPECT_EQ(metadata.string("text"), "a\nb");
  EXPECT_EQ(metadata.string("absent", "x"), "x");
  EXPECT_EQ(metadata.integers("ints", 0, 100), (std::vector<int64_t>{11, 11, 10, 0}));
  EXPECT_EQ(metadata.numbers("ints"), (std::vector<double>{11, 11, 10, 0}));
  EXPECT_TRUE(metadata.numbers("none").empty());
  EXPECT_EQ(metadata.strings("words")[2], "yz");
  EXPECT_EQ(metadata.booleans("bools"), (std::vector<bool>{true, false}));

  const auto id = [](auto&& action) { return outcome(action); };
  EXPECT_EQ(id([&] { metadata.integer("u64", 0, INT64_MAX); }), "gguf.out_of_range");
  EXPECT_EQ(id([&] { metadata.integer("u8", 0, 199); }), "gguf.out_of_range");
  EXPECT_EQ(id([&] { metadata.integer("i8", -99, 0, 3); }), "gguf.out_of_range");
  EXPECT_EQ(id([&] { metadata.integers("ints", 1, 100); }), "gguf.out_of_range");
  EXPECT_EQ(id([&] { metadata.boolean("two"); }), "gguf.out_of_range");
  EXPECT_EQ(id([&] { metadata.integer("absent", 0, 1); }), "gguf.missing_key");
  EXPECT_EQ(id([&] { metadata.integer("f32", 0, 1); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.integer("yes", 0, 1); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.integer("ints", 0, 1); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.number("text"); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.number("ints"); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.boolean("u8"); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.string("words"); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.string("u8", ""); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.strings("text"); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.strings("ints"); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.integers("words", 0, 1); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.integers("u8", 0, 1); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.numbers("words"); }), "gguf.wrong_type");
  EXPECT_EQ(id([&] { metadata.booleans("flags"); }), "gguf.wrong_type");
  EXPECT_EQ(error_of("gguf.wrong_type", [&] { metadata.strings("ints"); }),
            "m: the key \"ints\" (byte " + base::to_text(metadata.find("ints")->offset) +
                ") is an array of i32, expected is an array of strings");

  EXPECT_EQ(display_text(*metadata.find("ints"), 2), "[4 i32: 11, 11, ...]");
  EXPECT_EQ(display_text(*metadata.find("none")), "[0 f32]");
  EXPECT_EQ(display_text(*metadata.find("text")), "\"a\\nb\"");
  EXPECT_EQ(display_text(*metadata.find("u64")), "18446744073709551615");
  EXPECT_EQ(display_text(*metadata.find("yes")), "true");
  EXPECT_EQ(display_text(*metadata.find("words"), 8), "[3 string: \"x\", \"\", \"yz\"]");
}

TEST(Gguf, Versions) {
  GgufBuilder builder;
  builder.add("w", 0, {1}, "1234");
  builder.version = 2;
  EXPECT_EQ(parse(builder.build()).version, 2u);
  for (const uint32_t version : {0u, 1u, 4u, 0x00030002u}) {
    builder.version = version;
    error("gguf.version", builder);
  }
  for (const uint32_t version : {0x03000000u, 0x02000000u, 0x01000000u}) {
    builder.version = version;
    error("gguf.big_endian", builder);
  }
  EXPECT_EQ(outcome([] { parse("GGU"); }), "gguf.not_gguf");
  EXPECT_EQ(outcome([] { parse("GGML" + std::string(60, '\0')); }), "gguf.not_gguf");
  EXPECT_EQ(outcome([] { parse("GGUF"); }), "gguf.truncated");
}

TEST(Gguf, Alignment) {
  for (const uint32_t alignment : {8u, 16u, 4096u, 65536u}) {
    GgufBuilder builder;
    builder.alignment = alignment;
    builder.set("general.alignment", alignment).add("a", 0, {1}, "1234").add("b", 0, {1}, "5678");
    const std::string bytes = builder.build();
    const GgufFile file = parse_gguf(as_bytes(bytes), "m");
    EXPECT_EQ(file.data_offset % alignment, 0u);
    EXPECT_EQ(file.tensors[1].offset - file.tensors[0].offset, alignment);
    EXPECT_EQ(std::memcmp(file.tensors[1].view.data, "5678", 4), 0);
  }
  for (const uint32_t alignment : {0u, 1u, 4u, 131072u, UINT32_MAX})
    error("gguf.out_of_range", GgufBuilder().set("general.alignment", alignment));
  for (const uint32_t alignment : {9u, 24u, 65535u})
    error("gguf.bad_alignment", GgufBuilder().set("general.alignment", alignment));
  error("gguf.wrong_type", GgufBuilder().set("general.alignment", 32.0f));
  error("gguf.misaligned_tensor", GgufBuilder().add_at("t", 0, {1}, 4, std::string(8, 'x')));
}

TEST(Gguf, RefusesImpossibleCounts) {
  for (const uint64_t count : kBadCounts) {
    GgufBuilder keys, tensors;
    keys.num_keys = count;
    tensors.num_tensors = count;
    error("gguf.too_many", keys);
    EXPECT_EQ(error("gguf.too_many", tensors).rfind("m.gguf: claims " + base::to_text(count), 0),
              0u);
    error("gguf.too_many",
          GgufBuilder().set_raw("k", raw<uint32_t>(9) + raw<uint32_t>(8) + raw(count)));
    error("gguf.too_many",
          GgufBuilder().set_raw("k", raw<uint32_t>(9) + raw<uint32_t>(10) + raw(count)));
    error("gguf.truncated", GgufBuilder().set_raw("k", raw<uint32_t>(8) + raw(count)));
    error("gguf.truncated", GgufBuilder().set_raw("", "").set_raw("", "").set_raw(
                                "k", raw<uint32_t>(8) + raw(count)));
    const std::string shape_error = outcome(
        [&] { parse(GgufBuilder().add("t", 0, {count, count}, std::string(64, 'x')).build()); });
    EXPECT_TRUE(shape_error == "gguf.bad_shape") << shape_error;
    const std::string one =
        outcome([&] { parse(GgufBuilder().add("t", 0, {count}, std::string(64, 'x')).build()); });
    EXPECT_TRUE(one == "gguf.bad_shape" || one == "gguf.tensor_beyond_end") << one;
    const std::string offset = outcome([&] {
      parse(GgufBuilder().add_at("t", 0, {4}, count & ~31ull, std::string(64, 'x')).build());
    });
    EXPECT_EQ(offset, "gguf.tensor_beyond_end");
  }
}

TEST(Gguf, RefusesWrongTensors) {
  const std::string data(256, 'x');
  EXPECT_EQ(error("gguf.bad_shape", GgufBuilder().add("t", 0, {2, 0}, data)),
            "m.gguf: tensor \"t\" (byte 24) has an extent of 0");
  error("gguf.bad_shape", GgufBuilder().add("t", 0, {1, 1, 1, 1, 1}, data));
  error("gguf.bad_shape", GgufBuilder().add("t", 2, {32, 31}, data));
  error("gguf.bad_shape", GgufBuilder().add("t", 12, {2, 32}, data));
  EXPECT_EQ(error("gguf.tensor_beyond_end", GgufBuilder().add("t", 0, {65}, data)),
            "m.gguf: tensor \"t\" needs 260 bytes from offset 0 of the data (byte 64), "
            "but the file has 320 bytes");
  EXPECT_EQ(error("gguf.overlap",
                  GgufBuilder().add_at("a", 0, {9}, 0, data).add_at("b", 0, {4}, 32, data)),
            "m.gguf: tensor \"b\" at byte 128 overlaps \"a\"");
  error("gguf.overlap", GgufBuilder().add_at("b", 0, {4}, 32, data).add_at("a", 0, {64}, 0, data));
  error("gguf.duplicate_tensor", GgufBuilder().add("t", 0, {1}, data).add("t", 0, {1}, data));
  // A gap is no error: the writer may pad as it likes.
  EXPECT_EQ(parse(GgufBuilder().add_at("a", 0, {1}, 64, data).build()).tensors.size(), 1u);
}

TEST(Gguf, RefusesWrongKeys) {
  error("gguf.duplicate_key", GgufBuilder().set<uint32_t>("k", 1).set<uint32_t>("k", 1));
  error("gguf.unknown_type", GgufBuilder().set_raw("k", raw<uint32_t>(13) + raw<uint64_t>(0)));
  error("gguf.unknown_type",
        GgufBuilder().set_raw("k", raw<uint32_t>(9) + raw<uint32_t>(99) + raw<uint64_t>(0)));
  error("gguf.nested_array",
        GgufBuilder().set_raw("k", raw<uint32_t>(9) + raw<uint32_t>(9) + raw<uint64_t>(1)));
  error("gguf.string_too_long", GgufBuilder().set<uint8_t>(std::string(65536, 'k'), 1));
  EXPECT_EQ(parse(GgufBuilder().set<uint8_t>(std::string(65535, 'k'), 1).build())
                .metadata.values()
                .size(),
            1u);
  EXPECT_EQ(parse(GgufBuilder().set<uint8_t>("", 1).build()).metadata.integer("", 0, 1), 1);
  // A name is cut short in messages.
  EXPECT_LT(error("gguf.duplicate_key", GgufBuilder()
                                            .set<uint8_t>(std::string(9999, 'k'), 1)
                                            .set<uint8_t>(std::string(9999, 'k'), 1))
                .size(),
            300u);
}

// The most tensors that a header may claim, within the same bounds as for safetensors.
TEST(Gguf, AMillionTensors) {
  GgufBuilder builder;
  for (size_t i = 0; i < kMaxGgufTensors; ++i)
    builder.add_at("t" + std::to_string(i), 24, {1}, 32 * i, "");
  const std::string file = builder.build() + std::string(32 * kMaxGgufTensors, 'x');
  const size_t header_size = builder.header().size(), before = AllocationMeter::live();
  AllocationMeter::reset_peak();
  const std::clock_t start = std::clock();
  EXPECT_EQ(parse(file).tensors.size(), kMaxGgufTensors);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  const size_t used = AllocationMeter::peak() - before;
  RecordProperty("seconds", std::to_string(seconds));
  RecordProperty("memory_times_header",
                 std::to_string(static_cast<double>(used) / static_cast<double>(header_size)));
  builder.add_at("more", 24, {1}, 0, "");
  EXPECT_EQ(outcome([&] { parse(builder.build()); }), "gguf.too_many");
  if (!AllocationMeter::available()) return;
  EXPECT_LT(seconds, 1.0);
  EXPECT_LT(used, 8 * header_size + (16 << 20));
}

}  // namespace
}  // namespace tulou::checkpoint
