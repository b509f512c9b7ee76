// Options, settings and suggestions.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "cli/answer_options.h"
#include "cli/configuration.h"
#include "cli/model_options.h"
#include "cli/option_value.h"

namespace tulou::cli {
namespace {

std::string error_id(const std::function<void()>& f) {
  try {
    f();
  } catch (const base::Error& error) {
    return error.id();
  }
  return "no error";
}

TEST(OptionValue, StrictNumbers) {
  EXPECT_EQ(integer_value("--x", "7", 1, 9), 7);
  EXPECT_EQ(number_value("--x", "0.7"), 0.7);
  EXPECT_EQ(unsigned_value("--x", "18446744073709551615"), UINT64_MAX);
  for (const char* text : {"", " 7", "7 ", "7,0", "0x7", "seven", "10", "0", "-1", "7.0"})
    EXPECT_EQ(error_id([&] { integer_value("--x", text, 1, 9); }), "cli.bad_value") << text;
  for (const char* text : {"", "0,7", "0.7f", " 1", "1e", "--"})
    EXPECT_EQ(error_id([&] { number_value("--x", text); }), "cli.bad_value") << text;
  EXPECT_EQ(error_id([&] { unsigned_value("--x", "-1"); }), "cli.bad_value");
}

TEST(AnswerOptions, SetAndShow) {
  AnswerSettings settings;
  set_parameter(settings, "temperature", "0.5");
  set_parameter(settings, "top-k", "20");
  set_parameter(settings, "seed", "9");
  set_parameter(settings, "think", "off");
  set_parameter(settings, "stop", "END");
  EXPECT_EQ(settings.shown(), (std::vector<std::string>{"temperature 0.5", "top-k 20", "seed 9",
                                                        "stop END", "think off"}));
  engine::SamplingParams defaults;
  defaults.top_p = 0.8;
  const engine::SamplingParams params = settings.sampling(defaults);
  EXPECT_EQ(params.temperature, 0.5);
  EXPECT_EQ(params.top_p, 0.8);
  EXPECT_EQ(params.seed, 9u);
  EXPECT_EQ(error_id([&] { set_parameter(settings, "top-q", "1"); }), "cli.unknown_parameter");
  EXPECT_EQ(error_id([&] { set_parameter(settings, "think", "maybe"); }), "cli.bad_value");
  settings.top_p = 1.5;
  EXPECT_EQ(error_id([&] { settings.sampling({}); }), "sampling.out_of_range");
}

TEST(AnswerOptions, StopTextsAreTakenAsTheyStand) {
  Arguments arguments("test", "");
  AnswerSettings settings;
  std::string system;
  declare_answer_options(arguments, settings, system);
  arguments.parse({"--stop", "a", "--stop", "[b,c]", "--no-think", "--max-tokens", "8"});
  EXPECT_EQ(settings.stops, (std::vector<std::string>{"a", "[b,c]"}));
  EXPECT_EQ(settings.think, false);
  EXPECT_EQ(settings.max_tokens, 8);
}

// Sets environment variables for one test.
class ModelOptionsTest : public testing::Test {
 protected:
  ModelOptionsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "tulou_test_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    std::filesystem::create_directories(folder_ + "/tulou");
    setenv("XDG_CONFIG_HOME", folder_.c_str(), 1);
    unsetenv("TULOU_THREADS");
  }
  ~ModelOptionsTest() override {
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("TULOU_THREADS");
    std::filesystem::remove_all(folder_);
  }
  void configure(const std::string& text) { std::ofstream(folder_ + "/tulou/config.toml") << text; }
  static ModelSettings resolve(std::vector<std::string> typed) {
    Arguments arguments("test", "");
    ModelOptions options;
    options.declare(arguments);
    arguments.parse(std::move(typed));
    return options.resolve();
  }
  std::string folder_;
};

TEST_F(ModelOptionsTest, FlagBeatsEnvironmentBeatsFile) {
  EXPECT_FALSE(resolve({}).threads.has_value());
  configure("threads = 2\ncache-type = \"f32\"\n");
  EXPECT_EQ(resolve({}).threads, 2);
  EXPECT_EQ(resolve({}).cache_type, nn::CacheType::kF32);
  setenv("TULOU_THREADS", "3", 1);
  EXPECT_EQ(resolve({}).threads, 3);
  EXPECT_EQ(resolve({"--threads", "4"}).threads, 4);
}

TEST_F(ModelOptionsTest, CacheTypes) {
  EXPECT_EQ(resolve({"--cache-type", "bf16"}).cache_type, nn::CacheType::kBF16);
  EXPECT_EQ(resolve({"--cache-type", "f16"}).cache_type, nn::CacheType::kF16);
  EXPECT_EQ(resolve({"--cache-type", "q8_0"}).cache_type, nn::CacheType::kQ8_0);
  EXPECT_EQ(error_id([] { resolve({"--cache-type", "q4_0"}); }), "cli.bad_value");
}

TEST_F(ModelOptionsTest, Prefill) {
  EXPECT_FALSE(resolve({}).bf16_prefill);
  EXPECT_TRUE(resolve({"--prefill", "bf16"}).bf16_prefill);
  configure("prefill = bf16\n");
  EXPECT_TRUE(resolve({}).bf16_prefill);
  EXPECT_FALSE(resolve({"--prefill", "default"}).bf16_prefill);
}

TEST_F(ModelOptionsTest, WrongValuesAreNamed) {
  EXPECT_EQ(error_id([] { resolve({"--threads", "0"}); }), "cli.bad_value");
  EXPECT_EQ(error_id([] { resolve({"--precision", "half"}); }), "cli.bad_value");
  EXPECT_EQ(error_id([] { resolve({"--prefill", "int8"}); }), "cli.bad_value");
  configure("thread = 2\n");
  EXPECT_EQ(error_id([] { resolve({}); }), "cli.unknown_setting");
  configure("threads = [1, 2]\n");
  EXPECT_EQ(error_id([] { resolve({}); }), "cli.configuration");
  configure("threads = two\n");
  EXPECT_EQ(error_id([] { resolve({}); }), "cli.bad_value");
}

}  // namespace
}  // namespace tulou::cli
