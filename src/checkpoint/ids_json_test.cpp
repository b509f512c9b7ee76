// Lists of token ids.
#include "checkpoint/ids_json.h"

#include <gtest/gtest.h>

#include "checkpoint/expect_error.h"
#include "checkpoint/test_files.h"

namespace tulou::checkpoint {
namespace {

using namespace test;
using Sequences = std::vector<std::vector<int32_t>>;

std::string id(std::string_view text) {
  return outcome([&] { (void)parse_ids(text, "ids.json"); });
}

TEST(Ids, ReadsBothForms) {
  const IdSequences one = parse_ids(" [1, 2147483647,0]\n", "i");
  EXPECT_EQ(one.sequences, (Sequences{{1, 2147483647, 0}}));
  EXPECT_FALSE(one.nested);
  EXPECT_EQ(ids_text(one), "[1,2147483647,0]");
  const IdSequences many = parse_ids("[[1],[],[2,3]]", "i");
  EXPECT_EQ(many.sequences, (Sequences{{1}, {}, {2, 3}}));
  EXPECT_TRUE(many.nested);
  EXPECT_EQ(ids_text(many), "[[1],[],[2,3]]");
  EXPECT_EQ(parse_ids("[]", "i").sequences, (Sequences{{}}));
  EXPECT_EQ(parse_ids("[[]]", "i").sequences, (Sequences{{}}));
  const TemporaryFolder folder;
  EXPECT_EQ(read_ids(folder.write("i.json", "[7]")).sequences, (Sequences{{7}}));
}

TEST(Ids, RefusesTheRest) {
  for (const char* text : {"[-1]", "[2147483648]", "[1.0]", "[\"1\"]", "[null]", "[true]",
                           "[[1.5]]", "[[[1]]]", "[{}]", "[18446744073709551616]"})
    EXPECT_EQ(id(text), "ids.not_ids") << text;
  for (const char* text : {"{}", "1", "null", "\"x\"", "[1,[2]]", "[[1],2]"})
    EXPECT_EQ(id(text), "ids.not_an_array") << text;
  for (const char* text : {"", "[", "[1", "[1,]", "[1 2]", "[1]]", "[1] x", "[[1]", "nul", "]"})
    EXPECT_NE(id(text), "") << text;
  EXPECT_EQ(error_of("ids.not_ids", [] { (void)parse_ids("[[5],[6,-7]]", "ids.json"); }),
            "ids.json: item 2 of list 2 is not a whole number from 0 to 2147483647");
}

TEST(Ids, Bounds) {
  std::string text = "[1";
  for (size_t i = 1; i < kMaxIds; ++i) text += ",1";
  EXPECT_EQ(parse_ids(text + "]", "i").sequences[0].size(), kMaxIds);
  EXPECT_EQ(id(text + ",1]"), "ids.too_many");
  text = "[[]";
  for (size_t i = 1; i < kMaxSequences; ++i) text += ",[]";
  EXPECT_EQ(parse_ids(text + "]", "i").sequences.size(), kMaxSequences);
  EXPECT_EQ(id(text + ",[]]"), "ids.too_many");
}

}  // namespace
}  // namespace tulou::checkpoint
