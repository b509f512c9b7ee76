// Tests of the small parts of base that have no file of their own; catalogue.cpp and
// catalogue_requests.cpp by their entries.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>

#include "base/arena.h"
#include "base/assert.h"
#include "base/buffer.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"
#include "base/number.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "base/utf8.h"

namespace tulou::base {
namespace {

std::string error_id(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.id();
  }
  return "none";
}

TEST(Error, HasKindMessageAndHintFromTheCatalogue) {
  const Error error("json.missing_key", "config.json", "hidden_size");
  EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
  EXPECT_STREQ(error.what(), "config.json: the key \"hidden_size\" is missing");
  EXPECT_EQ(error.hint(), "check that the file is complete");
}

TEST(Error, ShowsControlCharactersInArguments) {
  const Error error("file.not_found", "a\x1b[2Jb\n");
  EXPECT_STREQ(error.what(), "a\\x1b[2Jb\\n: no such file or folder");
}

TEST(Error, CatalogueIdsAreUnique) {
  std::set<std::string_view> ids;
  for (const CatalogueEntry& entry : catalogue())
    EXPECT_TRUE(ids.insert(entry.id).second) << entry.id;
}

TEST(AssertDeathTest, TellsConditionAndPlaceAndAborts) {
  EXPECT_DEATH(ASSERT(1 + 1 == 3), "base_test.cpp:[0-9]+: 1 \\+ 1 == 3 does not hold");
  ASSERT(1 + 1 == 2);
}

TEST(Buffer, IsZeroedAlignedAndMovable) {
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{5} << 20}) {
    Buffer buffer(bytes, "test");
    ASSERT_EQ(buffer.size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    EXPECT_EQ(buffer.data()[0], std::byte{0});
    EXPECT_EQ(buffer.data()[bytes - 1], std::byte{0});
    buffer.data()[bytes - 1] = std::byte{7};
    const Buffer moved = std::move(buffer);
    EXPECT_EQ(moved.data()[bytes - 1], std::byte{7});
  }
}

TEST(Slab, HandsOutAlignedPartsThatDoNotOverlapAndOutliveIt) {
  std::vector<Buffer> parts;
  {
    Slab slab(size_t{5} << 20, "test");
    for (const size_t bytes : {size_t{1}, size_t{100}, size_t{3} << 20, size_t{0}, size_t{4} << 20})
      parts.push_back(slab.take(bytes, "part"));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(parts[i].data()) % 64, 0u);
    std::memset(parts[i].data(), static_cast<int>(i + 1), parts[i].size());
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    for (size_t at = 0; at < parts[i].size(); ++at)
      ASSERT_EQ(parts[i].data()[at], static_cast<std::byte>(i + 1)) << i << " at " << at;
  }
  EXPECT_EQ(parts[1].data() - parts[0].data(), 64);  // in the slab
  // The last one did not fit and has memory of its own.
  EXPECT_TRUE(parts[4].data() < parts[0].data() || parts[4].data() >= parts[0].data() + (5 << 20));
  EXPECT_EQ(error_id([] { Slab slab(SIZE_MAX / 2, "a huge model"); }), "memory.exhausted");
}

TEST(Buffer, RefusesWhatCannotBeHad) {
  EXPECT_EQ(error_id([] { Buffer buffer(SIZE_MAX / 2, "a huge tensor"); }), "memory.exhausted");
}

TEST(CheckedSize, AgreesWith128BitArithmetic) {
  std::mt19937_64 random(1);
  const auto draw = [&] { return random() >> (random() % 64); };
  for (int i = 0; i < 1'000'000; ++i) {
    const uint64_t a = draw(), b = draw(), c = draw();
    const unsigned __int128 exact = static_cast<unsigned __int128>(a) * b + c;
    const CheckedSize sum = CheckedSize(a) * b + c;
    ASSERT_EQ(sum.valid(), exact <= UINT64_MAX);
    if (sum.valid()) {
      ASSERT_EQ(*sum.value(), static_cast<uint64_t>(exact));
    }
  }
}

TEST(CheckedSize, StaysPoisoned) {
  EXPECT_FALSE((CheckedSize(UINT64_MAX) + 1).valid());
  EXPECT_FALSE(((CheckedSize(1) - 2) * 0).valid());
  EXPECT_FALSE((CheckedSize(1) / 0).valid());
  EXPECT_FALSE(CheckedSize(UINT64_MAX - 3).rounded_up(32).valid());
  EXPECT_EQ(CheckedSize(33).rounded_up(32).value(), 64u);
}

TEST(Number, ParsesWholeTextsOnly) {
  EXPECT_EQ(parse_int("-12"), -12);
  EXPECT_FALSE(parse_int("12a"));
  EXPECT_FALSE(parse_int(""));
  EXPECT_FALSE(parse_int(" 1"));
  EXPECT_EQ(parse_double("0.5"), 0.5);
  EXPECT_FALSE(parse_double("0,5"));
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
}

TEST(Number, PrintableEscapesWhatDrivesTerminals) {
  EXPECT_EQ(printable("a\tb\x7f\xc2\x9b\xe2\x80\xae\xff"), "a\\tb\\x7f\\u009b\\u202e\\xff");
  EXPECT_EQ(printable("a\n\x1b", Layout::kKeep), "a\n\\x1b");
  EXPECT_EQ(printable("\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85"), "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85");
}

TEST(Utf8, FindsErrorsAndReplacesMaximalSubparts) {
  EXPECT_FALSE(find_invalid_utf8("caf\xc3\xa9 \xf0\x9f\x98\x80"));
  EXPECT_EQ(find_invalid_utf8("ab\xed\xa0\x80"), 2u);  // a surrogate
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0u);        // overlong
  EXPECT_EQ(replace_invalid_utf8("\xf0\x9f\x98z"), "\xEF\xBF\xBDz");
  for (uint32_t c = 0; c <= 0x10FFFF; c += 7) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    const Utf8Step step = decode_utf8(text, 0);
    ASSERT_TRUE(step.valid && step.code_point == c && step.length == text.size());
  }
}

TEST(Json, KeepsOrderAndNumbers) {
  const Json value =
      parse_json(R"({"b":1,"a":[true,null,-2,1.5,"x\n",18446744073709551615]})", "t");
  EXPECT_EQ(to_json_text(value), R"({"b":1,"a":[true,null,-2,1.5,"x\n",18446744073709551615]})");
  EXPECT_EQ(parse_json(" 3 ", "t"), Json(3));
}

TEST(Json, WholeNumbersBeyond64BitsAreDoubles) {
  EXPECT_EQ(parse_json("[18446744073709551616]", "x")[0].get<double>(), 18446744073709551616.0);
  EXPECT_EQ(parse_json("[-9223372036854775809, 1]", "x")[0].get<double>(), -9223372036854775808.0);
  EXPECT_TRUE(parse_json("[18446744073709551615]", "x")[0].is_number_unsigned());
}

TEST(Json, PartsAreBounded) {
  const JsonLimits limits = {.max_values = 4, .max_members = 2};
  const auto id = [&](std::string_view text) -> std::string {
    try {
      parse_json(text, "x", limits);
    } catch (const Error& error) {
      return error.id();
    }
    return "";
  };
  EXPECT_EQ(id("[1, 2, 3, 4]"), "");
  EXPECT_EQ(id("[1, 2, 3, 4, 5]"), "json.too_many");
  EXPECT_EQ(id("[[1], [2, 3]]"), "json.too_many");
  EXPECT_EQ(id(R"({"a": 1, "b": 2})"), "");
  EXPECT_EQ(id(R"([{"a": 1}, {"b": 2, "c": 3}])"), "json.too_many");
  try {
    parse_json(R"({"a": 1, "b": [{"c": 2}]})", "t", limits);
    ADD_FAILURE() << "four values and three keys were taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.arguments()[0], "t: b");
  }
}

TEST(Json, RefusesWhatIsNotPlainJson) {
  EXPECT_EQ(error_id([] { parse_json("{\"a\":1,\"a\":2}", "t"); }), "json.duplicate_key");
  EXPECT_EQ(error_id([] { parse_json("{\"a\":1} x", "t"); }), "json.invalid");
  EXPECT_EQ(error_id([] { parse_json("", "t"); }), "json.invalid");
  EXPECT_EQ(error_id([] { parse_json("[1,]", "t"); }), "json.invalid");
  EXPECT_EQ(error_id([] { parse_json("\"\xff\"", "t"); }), "json.invalid");
  EXPECT_EQ(error_id([] { parse_json(std::string(64, '[') + std::string(64, ']'), "t"); }), "none");
  const std::string deep(100000, '[');
  EXPECT_NE(error_id([&] { parse_json(deep, "t"); }), "none");
  EXPECT_EQ(error_id([] { parse_json(std::string(65, '[') + std::string(65, ']'), "t"); }),
            "json.too_deep");
}

TEST(JsonObject, ChecksTypesAndRanges) {
  const Json value = parse_json(R"({"n":7,"s":"x","f":1e6,"z":null})", "t");
  const JsonObject object(value, "t");
  EXPECT_EQ(object.integer("n", 1, 10), 7);
  EXPECT_EQ(object.integer("f", 1, 10'000'000), 1'000'000);
  EXPECT_EQ(object.integer("z", 1, 10, 3), 3);
  EXPECT_EQ(error_id([&] { object.integer("n", 8, 10); }), "json.out_of_range");
  EXPECT_EQ(error_id([&] { object.integer("s", 8, 10); }), "json.wrong_type");
  EXPECT_EQ(error_id([&] { object.integer("q", 8, 10); }), "json.missing_key");
}

TEST(File, MapsReadsAndWritesDurably) {
  const std::string path = testing::TempDir() + "tulou_base_file";
  {
    DurableFile file(path);
    file.write("hello");
    EXPECT_FALSE(exists(path));
    file.commit();
  }
  EXPECT_EQ(read_file(path, 5), "hello");
  EXPECT_EQ(error_id([&] { read_file(path, 4); }), "file.too_large");
  const auto mapped = MappedFile::open(path);
  EXPECT_EQ(mapped->data().size(), 5u);
  mapped->check_unchanged();
  std::ofstream(path, std::ios::app) << "!";
  EXPECT_EQ(error_id([&] { mapped->check_unchanged(); }), "file.changed");
  {
    DurableFile abandoned(path);
    abandoned.write("lost");
  }
  EXPECT_EQ(read_file(path, 100), "hello!");
  std::filesystem::remove(path);
  EXPECT_EQ(error_id([&] { read_file(path, 4); }), "file.not_found");
}

TEST(FileDeathTest, TruncationWhileMappedEndsWithAMessage) {
  const std::string path = testing::TempDir() + "tulou_base_truncated";
  std::ofstream(path) << std::string(1 << 16, 'x');
  EXPECT_EXIT(
      {
        const auto mapped = MappedFile::open(path);
        std::filesystem::resize_file(path, 0);
        volatile std::byte value = mapped->data()[5000];
        (void)value;
      },
      testing::ExitedWithCode(1), "the file changed while it was being read");
  std::filesystem::remove(path);
}

TEST(Arena, ReusesItsMemory) {
  Arena arena;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) arena.allocate<float>(300'000)[299'999] = 1;
    arena.reset();
  }
  const size_t before = arena.num_allocations();
  for (int i = 0; i < 10; ++i) arena.allocate<float>(300'000);
  EXPECT_EQ(arena.num_allocations(), before);
  const auto mark = arena.mark();
  float* first = arena.allocate<float>(1).data();
  arena.release(mark);
  EXPECT_EQ(arena.allocate<float>(1).data(), first);
}

TEST(ThreadPool, RunsEachIndexOnce) {
  ThreadPool pool(3);
  const ThreadPool::Lease lease(pool);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> runs(97);
    lease.parallel_for(runs.size(), [&](size_t i, size_t worker) {
      ASSERT_LT(worker, 3u);
      runs[i].fetch_add(1);
    });
    for (const auto& count : runs) ASSERT_EQ(count.load(), 1);
  }
}

TEST(Rng, IsAFunctionOfItsArguments) {
  EXPECT_EQ(random_uniform(1, 2, 3), random_uniform(1, 2, 3));
  EXPECT_NE(random_uniform(1, 2, 3), random_uniform(1, 2, 4));
  EXPECT_NE(random_uniform(1, 2, 3), random_uniform(1, 3, 3));
  // Known answer of the Random123 distribution for philox4x32-10, counter and key all zero:
  // 6627e8d5 e169c58d ...
  EXPECT_EQ(random_uniform(0, 0, 0),
            static_cast<double>((uint64_t{0x6627e8d5} << 32 | 0xe169c58d) >> 11) * 0x1.0p-53);
  double sum = 0;
  for (uint64_t i = 0; i < 100'000; ++i) sum += random_uniform(42, 0, i);
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
}

}  // namespace
}  // namespace tulou::base
