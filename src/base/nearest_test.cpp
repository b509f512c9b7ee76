// Spelling suggestions.
#include "base/nearest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tulou::base {
namespace {

TEST(Nearest, Distance) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("rnu", "run"), 1u);  // a swap
}

TEST(Nearest, FindsTheWordThatWasMeant) {
  const std::vector<std::string> words = {"run", "chat", "inspect", "--temperature", "--top-p"};
  EXPECT_EQ(nearest("rnu", words), "run");
  EXPECT_EQ(nearest("--temprature", words), "--temperature");
  EXPECT_EQ(nearest("insp", words), "inspect");
  EXPECT_EQ(nearest("xyzzy", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(100000, 'a'), words), "");
}

}  // namespace
}  // namespace tulou::base
