// Tests of prefix_store.h, prefix_folder.h and prefix_file.h: what is written is found again, and
// nothing that is torn, changed or another's is ever taken.
#include "engine/prefix_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/secret.h"

namespace tulou::engine {
namespace {

namespace fs = std::filesystem;

// A state of a few bytes, in two parts as the cache has them.
struct State {
  explicit State(size_t size = 100, int fill = 7)
      : bytes(size, static_cast<std::byte>(fill)),
        parts{std::span(bytes).first(size / 3), std::span(bytes).subspan(size / 3)} {}
  std::vector<std::byte> bytes;
  std::vector<std::span<std::byte>> parts;
};

class PrefixStoreTest : public testing::Test {
 protected:
  PrefixStoreTest()
      : folder_(testing::TempDir() + "tulou_prefix_store_" + std::to_string(::getpid())) {
    fs::remove_all(folder_);
    model_.fill(1);
  }
  ~PrefixStoreTest() override { fs::remove_all(folder_); }

  std::unique_ptr<PrefixStore> open(uint64_t max_bytes = 1u << 20) {
    return std::make_unique<PrefixStore>(PrefixStoreOptions{
        folder_, max_bytes, [this](const base::Error& e) { heard_.push_back(e.id()); }});
  }
  static std::vector<int32_t> text(size_t length, int32_t first = 0) {
    std::vector<int32_t> tokens(length);
    for (size_t i = 0; i < length; ++i) tokens[i] = static_cast<int32_t>(i) * 3;
    tokens[0] = first;
    return tokens;
  }
  PrefixNames names(const PrefixStore& store, const std::vector<int32_t>& tokens,
                    std::string_view scope = "a") const {
    return {store.key(), model_, scope, tokens};
  }
  // Keeps a state; false if it was not written.
  bool keep(PrefixStore& store, const std::vector<int32_t>& tokens, State state = State(),
            std::string_view scope = "a") {
    const auto head = store.announce(names(store, tokens, scope), state.bytes.size());
    return head && store.write(*head, tokens, state.parts);
  }
  // The length of what is found and reads right, 0 if nothing is.
  uint64_t found(PrefixStore& store, const std::vector<int32_t>& tokens,
                 const State& right = State(), std::string_view scope = "a") {
    const auto head = store.find(names(store, tokens, scope));
    if (!head) return 0;
    State state(head->payload, 0);
    if (!store.read(*head, std::span(tokens).first(head->length), state.parts)) return 0;
    EXPECT_EQ(state.bytes, right.bytes);
    return head->length;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> paths;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().string().find(".state") != std::string::npos)
        paths.push_back(entry.path().string());
    }
    return paths;
  }
  template <typename Action>
  static std::string error_of(Action action) {
    try {
      action();
    } catch (const base::Error& error) {
      return error.id();
    }
    return "";
  }

  std::string folder_;
  base::Digest model_{};
  std::vector<std::string> heard_;
};

TEST_F(PrefixStoreTest, FindsTheLongestPrefixAlsoAfterARestart) {
  auto store = open();
  EXPECT_TRUE(keep(*store, text(40)));
  EXPECT_TRUE(keep(*store, text(128), State(50)));
  EXPECT_TRUE(keep(*store, text(200), State(70)));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(found(*store, text(300), State(70)), 200u);
    EXPECT_EQ(found(*store, text(200), State(50)), 128u);  // one token is left to compute
    EXPECT_EQ(found(*store, text(128)), 40u);
    EXPECT_EQ(found(*store, text(40)), 0u);
    EXPECT_EQ(found(*store, text(300, 5)), 0u);
    EXPECT_EQ(found(*store, text(300), State(), "b"), 0u);
    EXPECT_EQ(store->stats().entries, 3);
    store.reset();
    store = open();
  }
  model_.fill(2);
  EXPECT_EQ(found(*store, text(300)), 0u);
  EXPECT_TRUE(heard_.empty());
}

TEST_F(PrefixStoreTest, WhatIsShortOrThereIsNotWritten) {
  const auto store = open();
  EXPECT_FALSE(keep(*store, text(31)));
  EXPECT_TRUE(keep(*store, text(32)));
  EXPECT_FALSE(keep(*store, text(32)));
  EXPECT_FALSE(keep(*store, text(63)));  // less than 32 beyond one that is there
  EXPECT_TRUE(keep(*store, text(64)));
  EXPECT_TRUE(keep(*store, text(64), State(), "b"));
  EXPECT_EQ(store->stats().entries, 3);
}

TEST_F(PrefixStoreTest, FilesAreTheOwnersAloneAndTellNothing) {
  const auto store = open();
  keep(*store, text(40));
  struct stat status = {};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  for (const auto& entry : fs::directory_iterator(folder_)) {
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << entry.path();
  }
  // Another folder has another key, so the same prompt has another name there.
  const std::string name = fs::path(files().at(0)).filename();
  const std::string first = folder_;
  folder_ += "_other";
  {
    const auto other = open();
    keep(*other, text(40));
    EXPECT_NE(name, fs::path(files().at(0)).filename());
  }
  fs::remove_all(folder_);
  folder_ = first;
}

TEST_F(PrefixStoreTest, TruncationAtEveryByteIsSeen) {
  keep(*open(), text(40));
  const std::string path = files().at(0);
  const std::string whole = base::read_file(path, 1 << 20);
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto store = open();  // the head is right when it starts ...
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    EXPECT_EQ(found(*store, text(100)), 0u) << size;
    EXPECT_EQ(store->stats().damaged, 1) << size;
    EXPECT_TRUE(files().empty());
    std::ofstream(path, std::ios::binary) << whole;
  }
  for (const size_t size : {0u, 1u, 191u, 192u, 300u}) {  // ... and when it is not
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    const auto store = open();
    EXPECT_EQ(store->stats().entries, 0) << size;
    EXPECT_EQ(store->stats().damaged, 1) << size;
    EXPECT_EQ(found(*store, text(100)), 0u);
  }
  EXPECT_TRUE(files().empty());
  std::ofstream(path, std::ios::binary) << whole << "x";
  EXPECT_EQ(open()->stats().damaged, 1);
  EXPECT_EQ(heard_.back(), "cache.damaged_file");
  std::ofstream(path, std::ios::binary) << whole;  // none of this made the whole one wrong
  EXPECT_EQ(found(*open(), text(100)), 40u);
}

TEST_F(PrefixStoreTest, EveryFlippedBitIsSeen) {
  keep(*open(), text(40));
  const std::string path = files().at(0);
  const std::string whole = base::read_file(path, 1 << 20);
  for (size_t at = 0; at < whole.size(); ++at) {
    const auto store = open();
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    std::ofstream(path, std::ios::binary) << damaged;
    EXPECT_EQ(found(*store, text(100)), 0u) << at;
    EXPECT_EQ(store->stats().damaged, 1) << at;
    EXPECT_TRUE(files().empty());
    std::ofstream(path, std::ios::binary) << whole;
  }
}

TEST_F(PrefixStoreTest, AFileUnderAnothersNameIsNotTaken) {
  {
    const auto store = open();
    keep(*store, text(40), State(100, 1), "alice");
    const std::string of_alice = files().at(0);
    keep(*store, text(40), State(100, 2), "bob");
    for (const std::string& path : files()) {
      if (path != of_alice) fs::copy_file(of_alice, path, fs::copy_options::overwrite_existing);
    }
    EXPECT_EQ(found(*store, text(100), State(), "bob"), 0u);
    EXPECT_EQ(found(*store, text(100), State(100, 1), "alice"), 40u);
    EXPECT_EQ(store->stats().damaged, 1);
  }
  const std::string path = files().at(0);
  fs::copy_file(path, folder_ + "/" + std::string(64, 'a') + ".state");
  const auto store = open();  // as well when it starts
  EXPECT_EQ(store->stats().entries, 1);
  EXPECT_EQ(store->stats().damaged, 1);
}

TEST_F(PrefixStoreTest, AnotherKeyMakesAllFilesForeign) {
  keep(*open(), text(40));
  std::ofstream(folder_ + "/key", std::ios::binary) << std::string(32, 'k');
  {
    const auto store = open();
    EXPECT_EQ(store->stats().entries, 0);
    EXPECT_EQ(store->stats().damaged, 1);
  }
  std::ofstream(folder_ + "/key", std::ios::binary) << "short";
  EXPECT_EQ(error_of([&] { open(); }), "cache.bad_key");
  std::ofstream(folder_ + "/key", std::ios::binary) << std::string(32, 'k');
  fs::permissions(folder_ + "/key", fs::perms(0640));
  EXPECT_EQ(error_of([&] { open(); }), "cache.bad_key");
}

TEST_F(PrefixStoreTest, TheLeastUsedGoBeyondTheBudget) {
  const uint64_t one = 100 + 40 * 4 + kPrefixHeadBytes + kPrefixMacBytes;
  const auto store = open(3 * one);
  for (int32_t i = 1; i <= 3; ++i) EXPECT_TRUE(keep(*store, text(40, i)));
  EXPECT_EQ(found(*store, text(50, 1)), 40u);
  EXPECT_TRUE(keep(*store, text(40, 4)));  // 2 goes
  EXPECT_EQ(store->stats().evictions, 1);
  EXPECT_EQ(store->stats().bytes, 3 * one);
  EXPECT_EQ(files().size(), 3u);
  EXPECT_EQ(found(*store, text(50, 2)), 0u);
  for (const int32_t i : {1, 3, 4}) EXPECT_EQ(found(*store, text(50, i)), 40u);
  EXPECT_FALSE(keep(*store, text(40, 5), State(2000)));  // larger than everything
  EXPECT_EQ(store->stats().entries, 3);
}

TEST_F(PrefixStoreTest, ASmallerBudgetAtTheNextStart) {
  const uint64_t one = 100 + 40 * 4 + kPrefixHeadBytes + kPrefixMacBytes;
  {
    const auto store = open();
    for (int32_t i = 1; i <= 5; ++i) keep(*store, text(40, i));
  }
  EXPECT_EQ(open(2 * one)->stats().entries, 2);
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(PrefixStoreTest, ADiskThatFailsCostsTheStateAlone) {
  const auto store = open();
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small = {400, old.rlim_max};  // the file is torn in its middle
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_FALSE(keep(*store, text(40)));
  EXPECT_FALSE(keep(*store, text(40, 1)));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, before);
  EXPECT_EQ(heard_, std::vector<std::string>{"cache.not_written"});  // once
  EXPECT_TRUE(files().empty());
  EXPECT_EQ(store->stats().entries, 0);
  EXPECT_EQ(store->stats().bytes, 0u);
  EXPECT_EQ(found(*store, text(50)), 0u);
}

TEST_F(PrefixStoreTest, AFolderThatGoesAwayCostsTheStatesAlone) {
  const auto store = open();
  keep(*store, text(40));
  fs::remove_all(folder_);
  EXPECT_EQ(found(*store, text(50)), 0u);
  EXPECT_FALSE(keep(*store, text(40, 1)));
  EXPECT_EQ(heard_.size(), 1u);
  EXPECT_EQ(store->stats().entries, 0);
}

TEST_F(PrefixStoreTest, FoldersThatAreNotSafeAreRefused) {
  fs::create_directory(folder_);
  fs::permissions(folder_, fs::perms(0770));
  EXPECT_EQ(error_of([&] { open(); }), "cache.folder_unsafe");
  fs::permissions(folder_, fs::perms(0702));
  EXPECT_EQ(error_of([&] { open(); }), "cache.folder_unsafe");
  fs::permissions(folder_, fs::perms(0755));
  const auto store = open();
  EXPECT_EQ(error_of([&] { open(); }), "cache.folder_in_use");
  EXPECT_EQ(error_of([&] { PrefixStore::clear(folder_); }), "cache.folder_in_use");
  const std::string file = folder_ + "/file";
  std::ofstream(file) << "x";
  EXPECT_EQ(error_of([&] { PrefixStore({file, 1, {}}); }), "cache.folder_unsafe");
  EXPECT_EQ(error_of([&] { PrefixStore({folder_ + "/a/b", 1, {}}); }), "file.not_writable");
  EXPECT_EQ(error_of([&] { PrefixStore::list(folder_ + "/a"); }), "file.not_found");
}

TEST_F(PrefixStoreTest, LinksAndOddFilesAreNotFollowed) {
  const std::string name = folder_ + "/" + std::string(64, 'b') + ".state";
  open();
  const std::string outside = folder_ + "_outside";
  std::ofstream(outside) << "precious";
  fs::create_symlink(outside, name);
  ASSERT_EQ(::mkfifo((folder_ + "/" + std::string(64, 'c') + ".state").c_str(), 0600), 0);
  std::ofstream(folder_ + "/notes.txt") << "mine";
  std::ofstream(name + ".part-3") << "torn";
  EXPECT_EQ(open()->stats().entries, 0);
  EXPECT_EQ(base::read_file(outside, 100), "precious");
  EXPECT_TRUE(base::exists(folder_ + "/notes.txt"));
  EXPECT_FALSE(base::exists(name + ".part-3"));
  fs::remove(outside);
}

TEST_F(PrefixStoreTest, ListedAndCleared) {
  keep(*open(), text(40));
  keep(*open(), text(80));
  std::ofstream(folder_ + "/notes.txt") << "mine";
  std::ofstream(folder_ + "/" + std::string(64, 'd') + ".state") << "wrong";
  const auto listed = PrefixStore::list(folder_);
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].head.length + listed[1].head.length, 120u);
  const PrefixStore::Cleared cleared = PrefixStore::clear(folder_);
  EXPECT_EQ(cleared.entries, 3);
  EXPECT_TRUE(files().empty());
  EXPECT_FALSE(base::exists(folder_ + "/key"));
  EXPECT_TRUE(PrefixStore::list(folder_).empty());
  EXPECT_TRUE(base::exists(folder_ + "/notes.txt"));
}

TEST_F(PrefixStoreTest, FoldersOfOthersLoseNothing) {
  fs::create_directory(folder_);
  fs::permissions(folder_, fs::perms(0700));
  for (const char* file : {"key", "digests.json", "key.part-0", "keynote.part-1"})
    std::ofstream(folder_ + "/" + file) << "precious";
  EXPECT_EQ(error_of([&] { open(); }), "cache.not_a_cache");
  EXPECT_EQ(error_of([&] { PrefixStore::clear(folder_); }), "cache.not_a_cache");
  std::ofstream(folder_ + "/lock") << "not a cache's";
  EXPECT_EQ(error_of([&] { open(); }), "cache.not_a_cache");
  EXPECT_EQ(error_of([&] { PrefixStore::clear(folder_); }), "cache.not_a_cache");
  for (const char* file : {"key", "digests.json", "key.part-0", "keynote.part-1"})
    EXPECT_EQ(base::read_file(folder_ + "/" + file, 100), "precious") << file;
}

// Numbers that only whoever has the key can write are checked all the same.
TEST(PrefixFile, HeadsThatMakeNoSense) {
  base::Digest key{};
  PrefixHead head;
  const auto problem = [&](uint64_t length, uint64_t payload, uint64_t size) {
    head.length = length;
    head.payload = payload;
    return std::string(parse_prefix_head(encode_prefix_head(head, key), size, key).problem);
  };
  EXPECT_EQ(problem(10, 5, 40 + 5 + 224), "");
  EXPECT_NE(problem(10, 5, 40 + 6 + 224), "");
  EXPECT_NE(problem(0, 5, 5 + 224), "");
  EXPECT_NE(problem(kMaxPrefixTokens + 1, 0, 4 * (kMaxPrefixTokens + 1) + 224), "");
  EXPECT_NE(problem(10, UINT64_MAX - 100, 163), "");
  auto bytes = encode_prefix_head(head, key);
  bytes[8] = std::byte{9};
  EXPECT_EQ(parse_prefix_head(bytes, 269, key).problem, "it is of another version");
}

}  // namespace
}  // namespace tulou::engine
