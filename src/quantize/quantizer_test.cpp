// Whole files: values kept or rounded as they should be, and everything that must be refused.
#include "quantize/quantizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "checkpoint/expect_error.h"
#include "checkpoint/test_files.h"
#include "kernels/quant/dequantize.h"
#include "model/model.h"
#include "tensor/float16.h"

namespace tulou::quantize {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::test::error_of;
using checkpoint::test::TemporaryFolder;

constexpr const char* kModel = "tests/golden/cases/qwen3_tied/model";

class QuantizerTest : public testing::Test {
 protected:
  QuantizeReport run(const std::string& in, const std::string& out, const char* type,
                     const std::function<void(QuantizeOptions&)>& change = {}) {
    QuantizeOptions options;
    options.type = find_file_type(type);
    if (change) change(options);
    base::NoProgress progress;
    return quantize(*Checkpoint::open(in), out, options, threads_, progress);
  }
  std::string file(const char* name) const { return folder_.file(name); }
  size_t num_files() const {
    const fs::directory_iterator begin(folder_.path());
    return static_cast<size_t>(std::distance(begin, fs::directory_iterator()));
  }

  TemporaryFolder folder_;
  base::ThreadPool threads_{2};
};

std::string content(const std::string& path) { return base::read_file(path, 1u << 30); }

std::vector<float> values(const Checkpoint& file, const std::string& name) {
  const tensor::TensorView& view = file.require(name).view;
  std::vector<float> out(static_cast<size_t>(view.shape.values()));
  for (int64_t r = 0; r < view.shape.rows(); ++r)
    kernels::dequantize_row(view.dtype, view.row(r), out.data() + r * view.shape.width(),
                            view.shape.width());
  return out;
}

// What `inspect` says and loading reserves.
TEST_F(QuantizerTest, PlannedMemoryIsWhatLoadingTakes) {
  const auto compare = [](const std::string& path) {
    const auto checkpoint = Checkpoint::open(path);
    base::NoProgress progress;
    for (const bool exact : {false, true}) {
      const auto model = model::Model::load(*checkpoint, progress, {exact});
      EXPECT_EQ(model::plan_weights(*checkpoint, model->config(), exact).bytes,
                model->weights().bytes())
          << path << " exact " << exact;
    }
  };
  size_t cases = 0;
  for (const auto& entry : fs::directory_iterator("tests/golden/cases")) {
    const std::string folder = entry.path() / "model";
    compare(folder);
    for (const char* type : {"Q4_K_M", "IQ4_XS", "F16"}) {
      const std::string path = file((entry.path().filename().string() + type + ".gguf").c_str());
      run(folder, path, type);
      compare(path);
    }
    ++cases;
  }
  EXPECT_GE(cases, 13u);
}

TEST_F(QuantizerTest, ReportsWhatItMade) {
  const QuantizeReport report = run(kModel, file("a.gguf"), "Q4_K_M");
  const auto made = Checkpoint::open(file("a.gguf"));
  EXPECT_EQ(report.file_bytes, fs::file_size(file("a.gguf")));
  EXPECT_EQ(report.tensor_bytes, made->tensor_bytes());
  size_t tensors = 0;
  for (const auto& [name, count] : report.types) tensors += count;
  EXPECT_EQ(tensors, made->tensors().size());
  EXPECT_NEAR(
      report.bits_per_weight(),
      8.0 * static_cast<double>(made->tensor_bytes()) / static_cast<double>(report.num_values),
      1e-12);
  EXPECT_EQ(made->metadata().integer("general.file_type", 0, 99), 15);
  EXPECT_EQ(num_files(), 1u);
}

TEST_F(QuantizerTest, DoesNotDependOnThreads) {
  run(kModel, file("a.gguf"), "Q4_K_M");
  base::ThreadPool one(1);
  QuantizeOptions options;
  options.type = find_file_type("Q4_K_M");
  base::NoProgress progress;
  quantize(*Checkpoint::open(kModel), file("b.gguf"), options, one, progress);
  EXPECT_EQ(content(file("a.gguf")), content(file("b.gguf")));
}

TEST_F(QuantizerTest, GgufToGguf) {
  run(kModel, file("f32.gguf"), "F32");
  run(file("f32.gguf"), file("again.gguf"), "F32");
  EXPECT_EQ(content(file("f32.gguf")), content(file("again.gguf")));
  // The way over F32 loses nothing: the same bytes as straight from the checkpoint.
  const QuantizeReport direct = run(kModel, file("q.gguf"), "Q4_0");
  const QuantizeReport over = run(file("f32.gguf"), file("q2.gguf"), "Q4_0");
  EXPECT_EQ(content(file("q.gguf")), content(file("q2.gguf")));
  EXPECT_FALSE(direct.source_is_quantized || over.source_is_quantized);
  // And what is of the right type already is copied.
  EXPECT_TRUE(run(file("q.gguf"), file("q3.gguf"), "Q4_0").source_is_quantized);
  EXPECT_EQ(content(file("q.gguf")), content(file("q3.gguf")));
  // From a quantised file to a larger one: the same values.
  run(file("q.gguf"), file("back.gguf"), "F32");
  const auto small = Checkpoint::open(file("q.gguf")), large = Checkpoint::open(file("back.gguf"));
  EXPECT_EQ(values(*small, "blk.0.attn_q.weight"), values(*large, "blk.0.attn_q.weight"));
}

TEST_F(QuantizerTest, ImportanceIsUsedAndMustBelongToTheModel) {
  const auto source = Checkpoint::open(kModel);
  run(kModel, file("plain.gguf"), "Q4_0");
  const auto plain = Checkpoint::open(file("plain.gguf"));
  InputStatistics statistics;
  for (const checkpoint::TensorEntry& entry : plain->tensors()) {
    if (!entry.name.ends_with("attn_q.weight")) continue;
    InputSquares& squares = statistics[entry.name];
    squares.width = entry.view.shape.width();
    for (int64_t i = 0; i < squares.width; ++i) squares.sums.push_back(i % 2 == 0 ? 100.0f : 0.01f);
    squares.counts = {1};
  }
  write_importance(file("imatrix.gguf"), statistics, "", 1, 512);
  const auto importance = ImportanceMatrix::read(file("imatrix.gguf"));
  const QuantizeReport report =
      run(kModel, file("weighted.gguf"), "Q4_0", [&](auto& o) { o.importance = &importance; });
  EXPECT_EQ(report.num_weighted, statistics.size());
  const auto weighted = Checkpoint::open(file("weighted.gguf"));
  run(kModel, file("f32.gguf"), "F32");
  const auto exact = Checkpoint::open(file("f32.gguf"));
  const auto error = [&](const Checkpoint& file) {
    const auto a = values(file, "blk.0.attn_q.weight"), b = values(*exact, "blk.0.attn_q.weight");
    double sum = 0;
    for (size_t i = 0; i < a.size(); i += 2) sum += std::pow(double{a[i]} - double{b[i]}, 2);
    return sum;
  };
  EXPECT_LT(error(*weighted), 0.8 * error(*plain));
  statistics.begin()->second.width /= 2;
  statistics.begin()->second.sums.resize(static_cast<size_t>(statistics.begin()->second.width));
  write_importance(file("other.gguf"), statistics, "", 1, 512);
  const auto other = ImportanceMatrix::read(file("other.gguf"));
  error_of("imatrix.other_model",
           [&] { run(kModel, file("x.gguf"), "Q4_0", [&](auto& o) { o.importance = &other; }); });
  EXPECT_FALSE(fs::exists(file("x.gguf")));
}

TEST_F(QuantizerTest, RefusesToReplace) {
  folder_.write("there.gguf", "something");
  error_of("quantize.output_exists", [&] { run(kModel, file("there.gguf"), "F16"); });
  EXPECT_EQ(content(file("there.gguf")), "something");
  run(kModel, file("there.gguf"), "F16", [](auto& options) { options.replaces = true; });
  EXPECT_EQ(Checkpoint::open(file("there.gguf"))->format(), checkpoint::Format::kGguf);
  fs::create_directory(file("folder"));
  fs::create_symlink("nowhere", file("dangling"));
  for (const std::string& out : {file("folder"), file("dangling"), std::string("/dev/null")}) {
    error_of("quantize.output_not_a_file",
             [&] { run(kModel, out, "F16", [](auto& options) { options.replaces = true; }); });
  }
}

TEST_F(QuantizerTest, NeverReplacesItsInput) {
  const std::string in = file("in.gguf");
  run(kModel, in, "F16");
  const std::string before = content(in);
  fs::create_hard_link(in, file("hard.gguf"));
  fs::create_symlink(in, file("soft.gguf"));
  fs::create_directory(file("folder"));
  for (const std::string& out :
       {in, file("hard.gguf"), file("soft.gguf"), file("folder/../in.gguf")}) {
    error_of("quantize.output_is_input",
             [&] { run(in, out, "Q8_0", [](auto& options) { options.replaces = true; }); });
    error_of("quantize.output_is_input",
             [&] { run(out, in, "Q8_0", [](auto& options) { options.replaces = true; }); });
  }
  EXPECT_EQ(content(in), before);
  // Also no other file of a checkpoint folder, and not the importance matrix.
  fs::copy(kModel, file("model"));
  for (const char* name : {"model/config.json", "model/model.safetensors"}) {
    error_of("quantize.output_is_input", [&] {
      run(file("model"), file(name), "Q8_0", [](auto& options) { options.replaces = true; });
    });
  }
  error_of("quantize.output_is_input", [&] { check_output(in, {kModel, in}, true); });
}

TEST_F(QuantizerTest, AStoppedRunLeavesNothing) {
  const std::atomic<bool> cancel{true};
  error_of("run.cancelled",
           [&] { run(kModel, file("a.gguf"), "Q8_0", [&](auto& o) { o.cancel = &cancel; }); });
  error_of("file.not_writable", [&] { run(kModel, file("no/such/folder.gguf"), "Q8_0"); });
  EXPECT_EQ(num_files(), 0u);
}

TEST_F(QuantizerTest, ACheckpointThatIsQuantisedAlready) {
  fs::copy(kModel, file("model"));
  fs::permissions(file("model/config.json"), fs::perms::owner_write, fs::perm_options::add);
  std::string config = content(file("model/config.json"));
  config.insert(config.find('{') + 1,
                "\"quantization_config\": {\"quant_method\": \"fp8\", "
                "\"weight_block_size\": [128, 128]},");
  folder_.write("model/config.json", config);
  error_of("quantize.quantized_checkpoint", [&] { run(file("model"), file("x.gguf"), "Q8_0"); });
}

// A value that the type cannot hold is an error, not an infinity.
TEST_F(QuantizerTest, ValuesBeyondTheType) {
  fs::copy(kModel, file("model"));
  fs::permissions(file("model/model.safetensors"), fs::perms::owner_write, fs::perm_options::add);
  std::string data = content(file("model/model.safetensors"));
  const auto source = Checkpoint::open(kModel);
  const checkpoint::TensorEntry& entry = source->require("model.layers.0.mlp.up_proj.weight");
  const auto put = [&](float value) {
    if (entry.view.dtype == tensor::DType::kF32) {
      std::memcpy(data.data() + entry.offset, &value, 4);
    } else {
      const uint16_t bits = tensor::float_to_bf16(value);
      ASSERT_EQ(entry.view.dtype, tensor::DType::kBF16);
      std::memcpy(data.data() + entry.offset, &bits, 2);
    }
    folder_.write("model/model.safetensors", data);
  };
  const auto outcome = [&](const char* type) {
    return checkpoint::test::outcome([&] {
      run(file("model"), file("x.gguf"), type, [](auto& options) { options.replaces = true; });
    });
  };
  put(1e5f);
  EXPECT_EQ(outcome("F16"), "quantize.bad_value");
  EXPECT_EQ(outcome("Q4_0"), "quantize.bad_value");
  EXPECT_EQ(outcome("F32"), "");
  put(std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(outcome("Q8_0"), "quantize.bad_value");
  EXPECT_EQ(outcome("F16"), "quantize.bad_value");
}

}  // namespace
}  // namespace tulou::quantize
