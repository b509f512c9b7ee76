// The safetensors header and index: what is read, and every way in which a file can be wrong.
#include "checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include <ctime>

#include "checkpoint/allocation_meter.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/test_files.h"

namespace tulou::checkpoint {
namespace {

using namespace test;

std::string floats(size_t count) {
  std::string data;
  for (size_t i = 0; i < count; ++i) data += raw(static_cast<float>(i));
  return data;
}

std::vector<TensorEntry> parse(const std::string& file) {
  GuardedBytes guarded(file.size());
  return parse_safetensors(guarded.hold(file), "m.safetensors");
}

// The message for a file with this header and this many bytes of data.
std::string error(std::string_view id, const std::string& header, size_t data_bytes = 4) {
  return error_of(id,
                  [&] { parse(SafetensorsBuilder::file(header, std::string(data_bytes, '\0'))); });
}

TEST(Safetensors, ReadsTensorsInFileOrder) {
  const std::string file =
      SafetensorsBuilder()
          .add_entry(R"("__metadata__":{"format":"pt"})")
          .add_entry(R"("b.\u00e9":{"data_offsets":[4,28],"shape":[2,3],"dtype":"F32"})")
          .add_entry(R"("a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]})", "ABCD")
          .add_entry(R"("scalar":{"dtype":"F16","shape":[],"data_offsets":[28,30]})", floats(6))
          .add_entry(R"("i":{"dtype":"I64","shape":[1],"data_offsets":[30,38]})", "xx12345678")
          .build();
  const auto tensors = parse_safetensors(as_bytes(file), "m");
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].view.dtype, tensor::DType::kBF16);
  EXPECT_EQ(tensors[0].view.shape, (tensor::Shape{2}));
  EXPECT_EQ(std::memcmp(tensors[0].view.data, "ABCD", 4), 0);
  EXPECT_EQ(file.compare(tensors[0].offset, 4, "ABCD"), 0);
  EXPECT_EQ(tensors[1].name, "b.\xc3\xa9");
  EXPECT_EQ(tensors[1].view.shape, (tensor::Shape{2, 3}));
  EXPECT_EQ(tensors[1].bytes, 24u);
  EXPECT_EQ(tensors[2].name, "scalar");
  EXPECT_EQ(tensors[2].view.shape.rank, 0);
  EXPECT_EQ(tensors[2].view.bytes(), 2u);
  EXPECT_EQ(tensors[3].stored_dtype, "I64");
  EXPECT_FALSE(tensors[3].usable);
  EXPECT_EQ(tensors[3].view.data, nullptr);
}

TEST(Safetensors, FlattensMoreThanFourExtents) {
  const auto tensors = parse(SafetensorsBuilder()
                                 .add("conv", "F32", {5, 3, 2, 2, 2}, floats(120))
                                 .add("four", "F32", {1, 2, 1, 2}, floats(4))
                                 .build());
  EXPECT_EQ(tensors[0].view.shape, (tensor::Shape{5, 24}));
  EXPECT_EQ(tensors[1].view.shape, (tensor::Shape{1, 2, 1, 2}));
}

TEST(Safetensors, RecognisesOtherTypes) {
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, size_t>>{{"BOOL", 6},
                                                                               {"U8", 6},
                                                                               {"I8", 6},
                                                                               {"F8_E4M3", 6},
                                                                               {"F8_E5M2", 6},
                                                                               {"F8_E8M0", 6},
                                                                               {"I16", 12},
                                                                               {"U16", 12},
                                                                               {"I32", 24},
                                                                               {"U32", 24},
                                                                               {"F64", 48},
                                                                               {"I64", 48},
                                                                               {"U64", 48},
                                                                               {"F4", 3}}) {
    const auto tensors =
        parse(SafetensorsBuilder().add("t", name, {2, 3}, std::string(bytes, 'x')).build());
    EXPECT_EQ(tensors[0].stored_dtype, name);
    EXPECT_FALSE(tensors[0].usable);
    EXPECT_EQ(tensors[0].bytes, bytes);
  }
  const std::string message = error("safetensors.unknown_dtype",
                                    R"({"t":{"dtype":"Q7","shape":[1],"data_offsets":[0,4]}})");
  EXPECT_EQ(message, R"(m.safetensors: tensor "t" (byte 10): unknown type "Q7")");
}

TEST(Safetensors, EmptyTensors) {
  const auto one = parse(SafetensorsBuilder().add("e", "F32", {0, 3}, "").build());
  EXPECT_EQ(one[0].view.bytes(), 0u);
  // An extent of 0 hides no overflow of the others.
  const auto huge = parse(
      SafetensorsBuilder().add("e", "F32", {0, 1ull << 62, 1ull << 62, 3, 1ull << 62}, "").build());
  EXPECT_EQ(huge[0].view.bytes(), 0u);
  EXPECT_NE(error("safetensors.alias", R"({"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},
      "f":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
                  0),
            "");
  EXPECT_TRUE(parse(SafetensorsBuilder::file("{}", "")).empty());
}

TEST(Safetensors, RefusesWrongSizes) {
  const auto described = [](std::string_view dtype, std::string_view shape,
                            std::string_view offsets) {
    return R"({"t":{"dtype":")" + std::string(dtype) + R"(","shape":)" + std::string(shape) +
           R"(,"data_offsets":)" + std::string(offsets) + "}}";
  };
  EXPECT_EQ(error("safetensors.size_mismatch", described("F16", "[1]", "[0,4]")),
            "m.safetensors: tensor \"t\" (byte 10): F16 values of shape [1] do not take 4 bytes");
  error("safetensors.size_mismatch", described("F32", "[2]", "[0,4]"));
  error("safetensors.size_mismatch", described("F32", "[4294967296,4294967297]", "[0,4]"));
  error("safetensors.size_mismatch", described("F32", "[9223372036854775807,4]", "[0,4]"));
  error("safetensors.size_mismatch", described("F4", "[3]", "[0,1]"), 1);
  EXPECT_EQ(
      error("safetensors.beyond_end", described("F32", "[2]", "[0,8]")),
      "m.safetensors: tensor \"t\" (byte 10): data [0, 8) do not lie within the 4 bytes of data");
  error("safetensors.beyond_end", described("F32", "[1]", "[4,0]"));
  error("safetensors.beyond_end",
        described("F32", "[1]", "[18446744073709551612,18446744073709551615]"));
  for (const char* shape :
       {"[-1]", "[1.0]", "[\"1\"]", "1", "null", "[[1]]", "[1e0]", "{}", "[true]",
        "[9223372036854775808]", "[18446744073709551616]", "[1,1,1,1,1,1,1,1,1]"})
    EXPECT_EQ(
        outcome([&] { parse(SafetensorsBuilder::file(described("F32", shape, "[0,4]"), "1234")); }),
        "safetensors.wrong_field")
        << shape;
  for (const char* offsets : {"[0]", "[0,4,8]", "[]", "[0,-4]", "[0,4.0]", "4", "{}", "[null,4]"})
    error("safetensors.wrong_field", described("F32", "[1]", offsets));
}

TEST(Safetensors, RefusesWrongFields) {
  error("safetensors.missing_field", R"({"t":{"dtype":"F32","shape":[1]}})");
  error("safetensors.missing_field", R"({"t":{"shape":[1],"data_offsets":[0,4]}})");
  error("safetensors.missing_field", R"({"t":{"dtype":"F32","data_offsets":[0,4]}})");
  error("safetensors.unknown_field",
        R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}})");
  error("safetensors.repeated_field",
        R"({"t":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})");
  error("safetensors.wrong_field", R"({"t":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})");
  error("safetensors.wrong_field", R"({"t":[]})");
  error("safetensors.wrong_field", R"({"t":7})");
  error("json.invalid", R"({"__metadata__":{"format":1}})");
  error("safetensors.name_too_long", R"({")" + std::string(5000, 'n') +
                                         R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})");
}

TEST(Safetensors, RefusesOverlapsHolesAndDuplicates) {
  const auto two = [](std::string_view names, std::string_view a, std::string_view b) {
    return "{\"" + std::string(names.substr(0, 1)) +
           R"(":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(a) + "},\"" +
           std::string(names.substr(1)) + R"(":{"dtype":"U8","shape":[4],"data_offsets":)" +
           std::string(b) + "}}";
  };
  EXPECT_EQ(parse(SafetensorsBuilder::file(two("ab", "[0,4]", "[4,8]"), "12345678")).size(), 2u);
  EXPECT_EQ(error("safetensors.overlap", two("ab", "[0,4]", "[2,6]"), 6),
            "m.safetensors: tensor \"b\" at data byte 2 overlaps \"a\"");
  error("safetensors.overlap", two("ab", "[0,4]", "[0,4]"), 4);
  EXPECT_EQ(error("safetensors.hole", two("ab", "[0,4]", "[6,10]"), 10),
            "m.safetensors: 2 bytes from data byte 4 belong to no tensor");
  error("safetensors.hole", two("ab", "[4,8]", "[8,12]"), 12);
  error("safetensors.hole", two("ab", "[0,4]", "[4,8]"), 9);
  error("safetensors.hole", "{}", 1);
  EXPECT_EQ(error("safetensors.duplicate_tensor", two("aa", "[0,4]", "[4,8]"), 8),
            "m.safetensors: the tensor \"a\" stands there twice");
  // The same name, once written with an escape.
  error("safetensors.duplicate_tensor", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
      "\u0061":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
        8);
}

TEST(Safetensors, RefusesWrongHeaders) {
  EXPECT_EQ(error_of("safetensors.truncated", [] { parse(""); }),
            "m.safetensors: ends at byte 0, but its header needs 8 bytes");
  error_of("safetensors.truncated", [] { parse(raw<uint64_t>(100) + "{}"); });
  for (const uint64_t size : {uint64_t{100'000'001}, uint64_t{1} << 31, uint64_t{1} << 61,
                              uint64_t{INT64_MAX}, uint64_t{UINT64_MAX}})
    error_of("safetensors.header_too_large", [&] { parse(raw(size) + "{}"); });
  for (const char* header :
       {"", "[]", "1", "{", "{\"a\"", "{}{}", "{} x", "{\"a\":}", "null", "\"a\"",
        "{\"a\":{\"dtype\":\"F32\",}}", "{\xff:1}", "{\"\\ud800\":{}}", "\xef\xbb\xbf{}"})
    EXPECT_NE(outcome([&] { parse(SafetensorsBuilder::file(header, "")); }), "") << header;
}

// A header of a million tensors: at most a second and 8 times its size plus 16 MiB.
TEST(Safetensors, AMillionTensors) {
  constexpr size_t kCount = 1'000'000;
  std::string header = "{";
  header.reserve(90'000'000);
  for (size_t i = 0; i < kCount; ++i) {
    header += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) + "," +
              std::to_string(i + 1) + "]}";
  }
  header += "}";
  const size_t header_size = header.size();
  const std::string file = SafetensorsBuilder::file(std::move(header), std::string(kCount, 'x'));
  const size_t before = AllocationMeter::live();
  AllocationMeter::reset_peak();
  const std::clock_t start = std::clock();
  const auto tensors = parse_safetensors(as_bytes(file), "m");
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  const double times =
      static_cast<double>(AllocationMeter::peak() - before) / static_cast<double>(header_size);
  EXPECT_EQ(tensors.size(), kCount);
  RecordProperty("header_bytes", std::to_string(header_size));
  RecordProperty("seconds", std::to_string(seconds));
  RecordProperty("memory_times_header", std::to_string(times));
  if (!AllocationMeter::available()) return;  // with sanitizers neither time nor memory says much
  EXPECT_LT(seconds, 1.0);
  EXPECT_LT(static_cast<double>(AllocationMeter::peak() - before),
            8.0 * static_cast<double>(header_size) + (16 << 20));
}

TEST(SafetensorsIndex, ReadsShards) {
  const auto index = parse_safetensors_index(
      R"({"metadata":{"total_size":12},"weight_map":{"a":"z.safetensors","b\n":"m-1.safetensors",
         "c":"z.safetensors"}})",
      "i");
  EXPECT_EQ(index.shards, (std::vector<std::string>{"m-1.safetensors", "z.safetensors"}));
  ASSERT_EQ(index.entries.size(), 3u);
  EXPECT_EQ(index.entries[0].name, "a");
  EXPECT_EQ(index.entries[0].shard, 1u);
  EXPECT_EQ(index.entries[1].name, "b\n");
  EXPECT_EQ(index.entries[1].shard, 0u);
}

TEST(SafetensorsIndex, RefusesWhatItMust) {
  const auto id = [](std::string_view text) {
    return outcome([&] { parse_safetensors_index(std::string(text), "i"); });
  };
  for (const char* name : {"../x", "a/b", "/etc/passwd", "", ".", "..", "a\\u0000b"})
    EXPECT_EQ(id("{\"weight_map\":{\"t\":\"" + std::string(name) + "\"}}"),
              "checkpoint.bad_shard_name")
        << name;
  EXPECT_EQ(id("{\"weight_map\":{\"t\":\"" + std::string(256, 'x') + "\"}}"),
            "checkpoint.bad_shard_name");
  EXPECT_EQ(id("{}"), "json.missing_key");
  EXPECT_EQ(id(R"({"weight_map":[]})"), "json.wrong_type");
  EXPECT_EQ(id(R"({"weight_map":{"t":1}})"), "json.wrong_type");
  EXPECT_EQ(id(R"({"weight_map":{"t":"a","t":"b"}})"), "safetensors.duplicate_tensor");
  EXPECT_EQ(id(R"({"weight_map":{},"weight_map":{}})"), "json.duplicate_key");
  EXPECT_EQ(id(R"({"weight_map":{"t":"a"})"), "json.invalid");
  EXPECT_EQ(id(""), "json.invalid");
  EXPECT_EQ(id("[]"), "json.invalid");
  std::string many = R"({"weight_map":{"t":"s")";
  for (size_t i = 1; i < kMaxShards; ++i)
    many += ",\"t" + std::to_string(i) + "\":\"s" + std::to_string(i) + "\"";
  EXPECT_EQ(parse_safetensors_index(many + "}}", "i").shards.size(), kMaxShards);
  EXPECT_EQ(id(many + R"(,"u":"u"}})"), "checkpoint.too_many_shards");
}

}  // namespace
}  // namespace tulou::checkpoint
