// Names and the places they stand at.
#include "checkpoint/name_index.h"

#include <gtest/gtest.h>

#include <string>

namespace tulou::checkpoint {
namespace {

TEST(NameIndex, FindsAmongMany) {
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("t" + std::to_string(i));
  const auto name_of = [&](size_t i) -> std::string_view { return names[i]; };
  const NameIndex index(names.size(), name_of);
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(index.find(names[i]), i);
  EXPECT_EQ(index.find("t1000"), std::nullopt);
  EXPECT_EQ(index.duplicate(), std::nullopt);
  EXPECT_EQ(NameIndex().find("x"), std::nullopt);
  names[700] = "t5";
  EXPECT_EQ(NameIndex(names.size(), name_of).duplicate(), (std::pair<size_t, size_t>{5, 700}));
}

}  // namespace
}  // namespace tulou::checkpoint
