#include "cli/conversation.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace tulou::cli {
namespace {

class ConversationTest : public testing::Test {
 protected:
  ConversationTest() : path_(testing::TempDir() + "/tulou_conversation_test.json") {}
  ~ConversationTest() override { std::filesystem::remove(path_); }
  std::string path_;
};

TEST_F(ConversationTest, SaveAndLoad) {
  Conversation conversation;
  conversation.set_system("Be brief.");
  conversation.add_user("Why \"so\"?\n\xc3\xa9");
  conversation.add_assistant("Because.", "thinking");
  conversation.save(path_);
  const Conversation loaded = Conversation::load(path_);
  EXPECT_EQ(loaded.messages(), conversation.messages());
  EXPECT_EQ(loaded.system(), "Be brief.");
  EXPECT_EQ(loaded.num_messages(), 2u);
}

TEST_F(ConversationTest, Turns) {
  Conversation conversation;
  conversation.add_user("one");
  conversation.drop_last();
  conversation.drop_last();
  EXPECT_EQ(conversation.num_messages(), 0u);
  conversation.add_user("one");
  conversation.add_assistant("two", "");
  conversation.drop_last();
  EXPECT_EQ(conversation.num_messages(), 2u);
  conversation.clear();
  EXPECT_EQ(conversation.messages(), base::Json::array());
}

TEST_F(ConversationTest, RefusesOtherFiles) {
  for (const char* text :
       {"", "{}", "7", R"({"version":2,"messages":[]})", R"({"version":1,"messages":{}})",
        R"({"version":1,"messages":[7]})", R"({"version":1,"messages":[{"role":"user"}]})",
        R"([{"role":"user","content":7}])"}) {
    std::ofstream(path_) << text;
    EXPECT_THROW(Conversation::load(path_), base::Error) << text;
  }
  std::ofstream(path_) << R"([{"role":"user","content":"fine"}])";
  EXPECT_EQ(Conversation::load(path_).num_messages(), 1u);
}

}  // namespace
}  // namespace tulou::cli
