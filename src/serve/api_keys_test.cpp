#include "serve/api_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/file.h"
#include "serve/error_test.h"

namespace tulou::serve {
namespace {

class ApiKeysTest : public testing::Test {
 protected:
  ApiKeysTest() {
    std::string pattern = testing::TempDir() + "/keys-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/keys.json";
  }
  ~ApiKeysTest() override { std::filesystem::remove_all(folder_); }

  std::string add(const std::string& name) {
    ApiKey key;
    key.name = name;
    return KeyFile(path_).add(key);
  }
  void write(const std::string& text) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), 0600);
  }

  std::string folder_, path_;
};

TEST_F(ApiKeysTest, MadeFoundAndRevoked) {
  ApiKey key;
  key.name = "laptop";
  key.role = KeyRole::kAdmin;
  key.priority = -2;
  key.limits.max_streams = 4;
  const std::string secret = KeyFile(path_).add(key);
  EXPECT_EQ(secret.size(), 6u + 64u);
  EXPECT_TRUE(secret.starts_with("tulou-"));
  const std::string other = add("other");
  const KeySet set = KeySet::read(path_);
  ASSERT_NE(set.find(secret), nullptr);
  EXPECT_EQ(set.find(secret)->name, "laptop");
  EXPECT_EQ(set.find(secret)->id, key.id);
  EXPECT_EQ(set.find(secret)->role, KeyRole::kAdmin);
  EXPECT_EQ(set.find(secret)->priority, -2);
  EXPECT_EQ(set.find(secret)->limits, key.limits);
  EXPECT_EQ(set.find(other)->name, "other");
  for (const std::string& wrong : {std::string(), secret + "x", secret.substr(1), key.id})
    EXPECT_EQ(set.find(wrong), nullptr);
  EXPECT_EQ(KeyFile(path_).revoke("laptop").id, key.id);
  EXPECT_EQ(KeySet::read(path_).find(secret), nullptr);
  EXPECT_NE(KeySet::read(path_).find(other), nullptr);
  EXPECT_EQ(failure_of([&] { KeyFile(path_).revoke("laptop"); }).id, "keys.unknown");
}

TEST_F(ApiKeysTest, TheSecretIsNotStored) {
  const std::string secret = add("a");
  const std::string text = base::read_file(path_, 1 << 20);
  EXPECT_EQ(text.find(secret.substr(6)), std::string::npos);
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(ApiKeysTest, RefusesWhatOthersCanRead) {
  add("a");
  for (const mode_t mode : {0640, 0604, 0620, 0644}) {
    ::chmod(path_.c_str(), mode);
    EXPECT_EQ(failure_of([&] { KeySet::read(path_); }).id, "keys.readable_by_others");
    EXPECT_EQ(failure_of([&] { add("b"); }).id, "keys.readable_by_others");
  }
  ::chmod(path_.c_str(), 0400);
  EXPECT_EQ(KeySet::read(path_).keys().size(), 1u);
}

TEST_F(ApiKeysTest, Names) {
  add("a");
  EXPECT_EQ(failure_of([&] { add("a"); }).id, "keys.name_taken");
  for (const std::string& name : {std::string(), std::string("a b"), std::string("../x"),
                                  std::string(65, 'a'), std::string("\n")})
    EXPECT_EQ(failure_of([&] { add(name); }).id, "keys.bad_name") << name;
}

TEST_F(ApiKeysTest, DamagedFiles) {
  const std::string digest(64, 'a');
  const std::string key =
      R"({"id": "key-1", "name": "a", "created": 1, "sha256": ")" + digest + "\"}";
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "json.invalid"},
      {"{", "json.invalid"},
      {"[]", "json.wrong_type"},
      {R"({"version": 2, "keys": []})", "json.out_of_range"},
      {R"({"version": 1})", "keys.corrupt"},
      {R"({"version": 1, "keys": [1]})", "json.wrong_type"},
      {R"({"version": 1, "keys": [)" + key + "," + key + "]}", "keys.corrupt"},
      {R"({"version": 1, "keys": [{"id": "k", "name": "a", "created": 1, "sha256": "aa"}]})",
       "keys.corrupt"},
  };
  for (const auto& [text, id] : table)
    EXPECT_EQ(failure_of([&, t = text] { KeySet::parse(t, "keys"); }).id, id) << text;
  EXPECT_EQ(KeySet::parse(R"({"version": 1, "keys": [)" + key + "]}", "keys").keys().size(), 1u);
  EXPECT_EQ(failure_of([&] { KeySet::read(folder_ + "/none"); }).id, "file.not_found");
}

TEST_F(ApiKeysTest, ReloadKeepsTheOldKeysIfTheFileIsBad) {
  const std::string first = add("a");
  ApiKeys keys(path_);
  EXPECT_TRUE(keys.find(first));
  const std::string second = add("b");
  EXPECT_FALSE(keys.find(second));
  EXPECT_EQ(keys.reload(), std::nullopt);
  EXPECT_TRUE(keys.find(second));
  EXPECT_EQ(keys.size(), 2u);
  write("{");
  const auto why = keys.reload();
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("keys.json"), std::string::npos);
  EXPECT_TRUE(keys.find(first) && keys.find(second));
}

TEST_F(ApiKeysTest, SeveralWritersLoseNothing) {
  // Threads stand for processes: each opens the lock file for itself.
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 5; ++i) add("w" + std::to_string(writer) + "-" + std::to_string(i));
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(KeySet::read(path_).keys().size(), 20u);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"keys.json", "keys.json.lock"}));
}

TEST(BearerKey, OfTheHeader) {
  EXPECT_EQ(bearer_key("Bearer abc"), "abc");
  EXPECT_EQ(bearer_key("bearer   abc "), "abc");
  for (const char* value : {"", "Bearer", "Bearer ", "Basic abc", "abc"})
    EXPECT_EQ(bearer_key(value), "") << value;
}

}  // namespace
}  // namespace tulou::serve
