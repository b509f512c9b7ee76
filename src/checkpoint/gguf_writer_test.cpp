// What the writer writes, the reader reads; and nothing is there before it is complete.
#include "checkpoint/gguf_writer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/gguf_types.h"
#include "checkpoint/test_files.h"

namespace tulou::checkpoint {
namespace {

using tensor::DType;
using test::TemporaryFolder;

std::vector<std::byte> some_bytes(size_t count, int first) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(first + static_cast<int>(i));
  return bytes;
}

size_t num_files(const TemporaryFolder& folder) {
  const std::filesystem::directory_iterator begin(folder.path());
  return static_cast<size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

// Three tensors whose sizes are no multiples of the alignment.
void write_model(const std::string& path) {
  GgufWriter writer;
  writer.set("general.architecture", "qwen3");
  writer.set("u32", uint32_t{7});
  writer.set("i32", int32_t{-7});
  writer.set("u64", uint64_t{1} << 40);
  writer.set("f32", 0.5f);
  writer.set("bool", true);
  writer.set("texts", std::vector<std::string>{"a", "", "\xc3\xa9"});
  writer.set("numbers", std::vector<int32_t>{3, -4});
  writer.set("bools", std::vector<bool>{true, false});
  writer.add_tensor("vector", DType::kF32, {5});
  writer.add_tensor("matrix", DType::kQ4_0, {3, 64});
  writer.add_tensor("stack", DType::kF16, {2, 3, 4});
  writer.begin(path);
  writer.write(some_bytes(20, 1));
  writer.write(some_bytes(36, 2));
  writer.write(some_bytes(72, 38));  // a tensor may come in pieces
  writer.write(some_bytes(48, 3));
  EXPECT_EQ(writer.file_bytes() % GgufWriter::kAlignment, 0u);
  writer.commit();
  EXPECT_EQ(std::filesystem::file_size(path), writer.file_bytes());
}

TEST(GgufWriter, TheReaderReadsIt) {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.gguf");
  write_model(path);
  const auto file = Checkpoint::open(path);
  const GgufMetadata& keys = file->metadata();
  EXPECT_EQ(keys.string("general.architecture"), "qwen3");
  EXPECT_EQ(keys.integer("u32", 0, 100), 7);
  EXPECT_EQ(keys.integer("i32", -100, 100), -7);
  EXPECT_EQ(keys.integer("u64", 0, INT64_MAX), int64_t{1} << 40);
  EXPECT_EQ(keys.number("f32"), 0.5);
  EXPECT_TRUE(keys.boolean("bool"));
  EXPECT_EQ(keys.strings("texts")[2], "\xc3\xa9");
  EXPECT_EQ(keys.integers("numbers", -100, 100), (std::vector<int64_t>{3, -4}));
  EXPECT_EQ(keys.booleans("bools"), (std::vector<bool>{true, false}));
  ASSERT_EQ(file->tensors().size(), 3u);
  const TensorEntry& matrix = file->require("matrix");
  EXPECT_EQ(matrix.view.dtype, DType::kQ4_0);
  EXPECT_EQ(matrix.view.shape, (tensor::Shape{3, 64}));
  EXPECT_EQ(matrix.offset % GgufWriter::kAlignment, 0u);
  EXPECT_EQ(std::memcmp(matrix.view.data, some_bytes(108, 2).data(), 108), 0);
  EXPECT_EQ(file->require("stack").view.shape, (tensor::Shape{2, 3, 4}));
  EXPECT_EQ(std::memcmp(file->require("stack").view.data, some_bytes(48, 3).data(), 48), 0);
}

TEST(GgufWriter, CopiesKeysOfEveryKind) {
  const TemporaryFolder folder;
  write_model(folder.file("model.gguf"));
  const auto file = Checkpoint::open(folder.file("model.gguf"));
  GgufWriter writer;
  for (const GgufValue& value : file->metadata().values()) writer.copy(value);
  writer.begin(folder.file("copy.gguf"));
  writer.commit();
  const auto copy = Checkpoint::open(folder.file("copy.gguf"));
  ASSERT_EQ(copy->metadata().values().size(), file->metadata().values().size());
  for (size_t i = 0; i < copy->metadata().values().size(); ++i) {
    const GgufValue &a = file->metadata().values()[i], &b = copy->metadata().values()[i];
    EXPECT_EQ(a.key, b.key);
    EXPECT_EQ(display_text(a), display_text(b));
    EXPECT_EQ(a.type, b.type);
  }
}

TEST(GgufWriter, NothingIsThereBeforeItIsComplete) {
  const TemporaryFolder folder;
  {
    GgufWriter writer;
    writer.add_tensor("vector", DType::kF32, {64});
    writer.begin(folder.file("model.gguf"));
    writer.write(some_bytes(100, 1));
    EXPECT_FALSE(std::filesystem::exists(folder.file("model.gguf")));
  }
  EXPECT_EQ(num_files(folder), 0u);
}

// A limit on the size of files stands for a full disk: both end in a failing write.
TEST(GgufWriter, AFullDiskLeavesNothing) {
  const TemporaryFolder folder;
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &small);
  test::error_of("file.not_writable", [&] {
    GgufWriter writer;
    writer.add_tensor("vector", DType::kF32, {4096});
    writer.begin(folder.file("model.gguf"));
    writer.write(some_bytes(16384, 1));
    writer.commit();
  });
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(num_files(folder), 0u);
}

TEST(GgufWriter, TypesHaveTheirNumbers) {
  for (int i = 0; i < tensor::kNumDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(find_ggml_type(ggml_type_id(dtype))->name, tensor::name(dtype));
  }
  EXPECT_EQ(ggml_type_id(DType::kBF16), 30u);
}

}  // namespace
}  // namespace tulou::checkpoint
