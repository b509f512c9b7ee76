// Whole checkpoints: folders, shards, split files, and what is said when a part is wrong.
#include "checkpoint/checkpoint.h"
#include "base/json_value.h"

#include <gtest/gtest.h>

#include "checkpoint/expect_error.h"
#include "checkpoint/test_files.h"

namespace tulou::checkpoint {
namespace {

using namespace test;

const std::vector<float> kFour = {1, 2, 3, 4};

std::string shard(const std::vector<std::string>& names) {
  SafetensorsBuilder builder;
  for (const std::string& name : names) builder.add(name, {2, 2}, kFour);
  return builder.build();
}

std::string error(std::string_view id, const std::string& path) {
  return error_of(id, [&] { (void)Checkpoint::open(path); });
}

TEST(Checkpoint, OneFile) {
  const TemporaryFolder folder;
  folder.write("config.json", R"({"model_type":"qwen3"})");
  folder.write("generation_config.json", R"({"top_k":20})");
  folder.write(
      "model.safetensors",
      SafetensorsBuilder().add("a", {2, 2}, kFour).add("g_idx", "I32", {1}, "1234").build());
  const auto checkpoint = Checkpoint::open(folder.path());
  EXPECT_EQ(checkpoint->format(), Format::kSafetensors);
  EXPECT_EQ(checkpoint->config().at("model_type"), "qwen3");
  EXPECT_TRUE(checkpoint->metadata().empty());
  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(checkpoint->tensor_bytes(), 20u);
  EXPECT_EQ(checkpoint->num_files(), 1u);
  EXPECT_EQ(checkpoint->find("b"), nullptr);
  EXPECT_EQ(std::memcmp(checkpoint->require("a").view.data, kFour.data(), 16), 0);
  EXPECT_EQ(checkpoint->companion("generation_config.json"), R"({"top_k":20})");
  EXPECT_EQ(checkpoint->companion("tokenizer.json"), std::nullopt);
  checkpoint->check_unchanged();
  checkpoint->drop_pages();
  EXPECT_EQ(std::memcmp(checkpoint->require("a").view.data, kFour.data(), 16), 0);
  EXPECT_EQ(error_of("checkpoint.missing_tensor", [&] { (void)checkpoint->require("b"); }),
            folder.path() + ": the tensor \"b\" is missing");
  const std::string file = folder.file("model.safetensors");
  EXPECT_EQ(error_of("checkpoint.dtype_unsupported", [&] { (void)checkpoint->require("g_idx"); }),
            file + ": tensor \"g_idx\" (byte " + std::to_string(checkpoint->find("g_idx")->offset) +
                ") is stored as I32, which is not supported");
  folder.write("model.safetensors", "other");
  error_of("file.changed", [&] { checkpoint->check_unchanged(); });
}

TEST(Checkpoint, TheOnlyFileWhateverItsName) {
  const TemporaryFolder folder;
  folder.write("config.json", "{}");
  error("checkpoint.no_weights", folder.path());
  folder.write("model.safetensors-00001-of-00001.safetensors", shard({"a"}));
  EXPECT_NE(Checkpoint::open(folder.path())->find("a"), nullptr);
  folder.write("other.safetensors", shard({"b"}));
  error("checkpoint.no_index", folder.path());
}

TEST(Checkpoint, Shards) {
  const TemporaryFolder folder;
  folder.write("config.json", "{}");
  folder.write("s-2.safetensors", shard({"c"}));
  folder.write("s-1.safetensors", shard({"b", "a"}));
  const std::string index = folder.write(
      "model.safetensors.index.json",
      R"({"weight_map":{"c":"s-2.safetensors","a":"s-1.safetensors","b":"s-1.safetensors"}})");
  const auto checkpoint = Checkpoint::open(folder.path());
  ASSERT_EQ(checkpoint->tensors().size(), 3u);
  EXPECT_EQ(checkpoint->tensors()[0].name, "b");
  EXPECT_EQ(checkpoint->file_path(checkpoint->find("c")->file_index),
            folder.file("s-2.safetensors"));

  // A tensor that the index does not list belongs to the checkpoint as well.
  folder.write("s-2.safetensors", shard({"c", "extra"}));
  EXPECT_NE(Checkpoint::open(folder.path())->find("extra"), nullptr);

  folder.write("s-2.safetensors", shard({"d"}));
  EXPECT_EQ(error("checkpoint.not_in_shard", folder.path()),
            index + ": tensor \"c\" is not in s-2.safetensors, where it should be");
  folder.write("s-2.safetensors", shard({"c", "a"}));
  EXPECT_EQ(error("checkpoint.duplicate_tensor", folder.path()),
            folder.file("s-1.safetensors") + ": tensor \"a\" is also in " +
                folder.file("s-2.safetensors"));
  folder.write("s-2.safetensors", shard({"b"}));
  folder.write("s-1.safetensors", shard({"c", "a"}));
  error("checkpoint.not_in_shard", folder.path());
  std::filesystem::remove(folder.file("s-2.safetensors"));
  EXPECT_EQ(error("checkpoint.missing_shard", folder.path()),
            index + ": the shard s-2.safetensors that it names is not there");
}

TEST(Checkpoint, WrongPaths) {
  const TemporaryFolder folder;
  error("file.not_found", folder.file("nothing"));
  EXPECT_EQ(error("checkpoint.no_config", folder.path()),
            folder.path() + ": no config.json in this folder");
  error("checkpoint.unknown_format", folder.write("notes.txt", "hello"));
  error("checkpoint.unknown_format", folder.write("empty", ""));
  error("checkpoint.needs_folder", folder.write("x.safetensors", shard({"a"})));
  folder.write("config.json", "[]");
  error("json.wrong_type", folder.path());
  folder.write("config.json", "{");
  error("json.invalid", folder.path());
}

TEST(Checkpoint, OneGguf) {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("m.gguf", GgufBuilder().set<uint32_t>("k", 7).add("a", {2, 2}, kFour).build());
  folder.write("generation_config.json", "{}");
  const auto checkpoint = Checkpoint::open(path);
  EXPECT_EQ(checkpoint->format(), Format::kGguf);
  EXPECT_TRUE(checkpoint->config().is_null());
  EXPECT_EQ(checkpoint->metadata().integer("k", 0, 9), 7);
  EXPECT_EQ(checkpoint->require("a").view.shape, (tensor::Shape{2, 2}));
  EXPECT_EQ(checkpoint->companion("generation_config.json"), std::nullopt);
}

std::string part(uint16_t number, uint16_t count, const std::vector<std::string>& names,
                 int32_t total = 3) {
  GgufBuilder builder;
  builder.set("split.no", number).set("split.count", count).set("split.tensors.count", total);
  for (const std::string& name : names) builder.add(name, {2, 2}, kFour);
  return builder.build();
}

TEST(Checkpoint, SplitGguf) {
  const TemporaryFolder folder;
  const std::string first = folder.write("m-00001-of-00002.gguf", part(0, 2, {"a"}));
  const std::string second = folder.file("m-00002-of-00002.gguf");
  EXPECT_EQ(error("gguf.missing_part", first), first + ": part 2 of 2 is missing: " + second);
  folder.write("m-00002-of-00002.gguf", part(1, 2, {"b", "c"}));
  const auto checkpoint = Checkpoint::open(first);
  EXPECT_EQ(checkpoint->num_files(), 2u);
  EXPECT_EQ(checkpoint->tensors().size(), 3u);
  EXPECT_EQ(checkpoint->find("c")->file_index, 1u);
  EXPECT_EQ(std::memcmp(checkpoint->require("c").view.data, kFour.data(), 16), 0);

  error("gguf.not_first_part", second);
  error("gguf.split_name", folder.write("renamed.gguf", part(0, 2, {"a"})));
  error("gguf.split_name", folder.write("n-00002-of-00002.gguf", part(0, 2, {"a"})));
  folder.write("m-00002-of-00002.gguf", part(1, 3, {"b", "c"}));
  error("gguf.split_mismatch", first);
  folder.write("m-00002-of-00002.gguf", part(0, 2, {"b", "c"}));
  error("gguf.split_mismatch", first);
  folder.write("m-00002-of-00002.gguf", part(1, 2, {"b"}));
  error("gguf.split_tensors", first);
  folder.write("m-00002-of-00002.gguf", part(1, 2, {"b", "a"}));
  error("checkpoint.duplicate_tensor", first);
  folder.write("m-00002-of-00002.gguf", GgufBuilder().build());
  error("gguf.missing_key", first);
  folder.write("m-00002-of-00002.gguf", "junk");
  error("gguf.not_gguf", first);
  error("gguf.out_of_range", folder.write("m-00001-of-65535.gguf", part(0, 65535, {"a"})));
  error("gguf.out_of_range", folder.write("m-00003-of-00002.gguf", part(2, 2, {"a"})));
}

}  // namespace
}  // namespace tulou::checkpoint
