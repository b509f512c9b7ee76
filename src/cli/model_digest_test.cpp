// Tests of model_digest.h: the digest is that of the content, however it was come by.
#include "cli/model_digest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "checkpoint/test_files.h"

namespace tulou::cli {
namespace {

namespace fs = std::filesystem;

// Counts the files that are hashed.
class Counter final : public base::Progress {
 public:
  void begin(std::string_view, uint64_t, base::ProgressUnit) override { ++files; }
  void advance(uint64_t) override {}
  void end() override {}
  int files = 0;
};

class ModelDigestTest : public testing::Test {
 protected:
  ModelDigestTest() : folder_(testing::TempDir() + "tulou_digest_" + std::to_string(::getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/model");
    fs::create_directories(folder_ + "/cache");
    write("{\"model_type\": \"qwen3\"}", 1.0f);
  }
  ~ModelDigestTest() override { fs::remove_all(folder_); }

  void write(const std::string& config, float value) {
    std::ofstream(folder_ + "/model/config.json") << config;
    const float values[] = {value, 2.0f};
    const std::string data = checkpoint::test::SafetensorsBuilder().add("a", {2}, values).build();
    std::ofstream(weights(), std::ios::binary) << data;
    age(weights());
  }
  std::string weights() const { return folder_ + "/model/model.safetensors"; }
  static void age(const std::string& path) {
    fs::last_write_time(path, fs::last_write_time(path) - std::chrono::seconds(100));
  }
  base::Digest digest() { return model_digest(folder_ + "/model", folder_ + "/cache", counter_); }

  std::string folder_;
  Counter counter_;
};

TEST_F(ModelDigestTest, AFileIsHashedOnce) {
  const base::Digest first = digest();
  EXPECT_EQ(counter_.files, 1);
  EXPECT_EQ(digest(), first);
  EXPECT_EQ(counter_.files, 1);
  std::ofstream(folder_ + "/cache/digests.json") << "{\"files\": [1, {\"path\": 2}, [";
  EXPECT_EQ(digest(), first);
  EXPECT_EQ(counter_.files, 2);
  fs::remove_all(folder_ + "/cache");  // it cannot be remembered, and is used all the same
  EXPECT_EQ(digest(), first);
  EXPECT_EQ(counter_.files, 3);
}

TEST_F(ModelDigestTest, WeightsAndConfigurationCount) {
  const base::Digest first = digest();
  write("{\"model_type\": \"qwen3\"}", 1.5f);
  EXPECT_NE(digest(), first);
  write("{\"model_type\": \"qwen3\", \"rope_theta\": 5}", 1.0f);
  EXPECT_NE(digest(), first);
  write("{\"model_type\": \"qwen3\"}", 1.0f);
  EXPECT_EQ(digest(), first);
}

TEST_F(ModelDigestTest, WhatWasJustWrittenIsNotRemembered) {
  std::ofstream(weights(), std::ios::app).flush();
  fs::last_write_time(weights(), fs::file_time_type::clock::now());
  digest();
  digest();
  EXPECT_EQ(counter_.files, 2);
}

}  // namespace
}  // namespace tulou::cli
