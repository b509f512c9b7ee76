// The table of shared options; see model_options.h.
#include "cli/model_options.h"

#include <cstdlib>
#include <map>
#include <vector>

#include "base/error.h"
#include "base/number.h"
#include "cli/configuration.h"
#include "cli/option_value.h"

namespace tulou::cli {

namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxContext = int64_t{1} << 30;

struct ModelOption {
  const char* flag;
  const char* environment;
  const char* key;
  const char* value;
  const char* description;
  // `what` names where the value came from, for errors.
  void (*apply)(ModelSettings& settings, const std::string& what, const std::string& text);
};

void apply_threads(ModelSettings& settings, const std::string& what, const std::string& text) {
  settings.threads = integer_value(what, text, 1, kMaxThreads);
}

void apply_isa(ModelSettings& settings, const std::string&, const std::string& text) {
  settings.isa = text;
}

void apply_precision(ModelSettings& settings, const std::string& what, const std::string& text) {
  if (text != "default" && text != "exact")
    throw base::Error("cli.bad_value", what, base::printable(text), "default or exact");
  settings.precision = text == "exact" ? Precision::kExact : Precision::kDefault;
}

void apply_prefill(ModelSettings& settings, const std::string& what, const std::string& text) {
  if (text != "default" && text != "bf16")
    throw base::Error("cli.bad_value", what, base::printable(text), "default or bf16");
  settings.bf16_prefill = text == "bf16";
}

void apply_cache_type(ModelSettings& settings, const std::string& what, const std::string& text) {
  static const std::map<std::string, nn::CacheType> kTypes = {{"f32", nn::CacheType::kF32},
                                                              {"bf16", nn::CacheType::kBF16},
                                                              {"f16", nn::CacheType::kF16},
                                                              {"q8_0", nn::CacheType::kQ8_0}};
  const auto found = kTypes.find(text);
  if (found == kTypes.end())
    throw base::Error("cli.bad_value", what, base::printable(text), "f32, bf16, f16 or q8_0");
  settings.cache_type = found->second;
}

void apply_context(ModelSettings& settings, const std::string& what, const std::string& text) {
  settings.context = integer_value(what, text, 1, kMaxContext);
}

constexpr ModelOption kOptions[kNumModelOptions] = {
    {"--threads", "TULOU_THREADS", "threads", "N", "Threads that compute (all processors)",
     apply_threads},
    {"--isa", "TULOU_ISA", "isa", "LEVEL",
     "Kernel level: portable, neon, avx2, avx512 (the best there is), amx", apply_isa},
    {"--precision", "TULOU_PRECISION", "precision", "default|exact",
     "exact: activations and cache in fp32, no weight rounded, for comparisons", apply_precision},
    {"--prefill", "TULOU_PREFILL", "prefill", "default|bf16",
     "bf16: prompts in bf16 for speed, other bits than decoding; needs AMX", apply_prefill},
    {"--cache-type", "TULOU_CACHE_TYPE", "cache-type", "f32|f16|bf16|q8_0",
     "How keys and values are kept (f16; f32 with exact)", apply_cache_type},
    {"--context", "TULOU_CONTEXT", "context", "N", "Tokens of prompt and answer together",
     apply_context},
};

}  // namespace

void declare_model(Arguments& arguments, std::string& model) {
  arguments.positional("MODEL", model, "Checkpoint folder or .gguf file", Need::kRequired);
}

void declare_text_model(Arguments& arguments, std::string& model) {
  arguments.positional("MODEL", model,
                       "Checkpoint folder, folder of tokenizer files, or .gguf file",
                       Need::kRequired);
}

void ModelOptions::declare(Arguments& arguments) {
  for (size_t i = 0; i < kNumModelOptions; ++i) {
    const ModelOption& option = kOptions[i];
    arguments.value(
        option.flag, option.value, std::string(option.description) + "; or " + option.environment,
        [this, i](const std::string& text) { flags_[i] = text; }, "Model options");
  }
}

ModelSettings ModelOptions::resolve() const {
  const std::string path = configuration_path();
  std::vector<std::string> keys;
  for (const ModelOption& option : kOptions) keys.emplace_back(option.key);
  const std::map<std::string, std::string> file = read_configuration(path, keys);
  ModelSettings settings;
  for (size_t i = 0; i < kNumModelOptions; ++i) {
    const ModelOption& option = kOptions[i];
    const char* environment = std::getenv(option.environment);
    const auto in_file = file.find(option.key);
    if (flags_[i]) {
      option.apply(settings, option.flag, *flags_[i]);
    } else if (environment != nullptr && *environment != '\0') {
      option.apply(settings, option.environment, environment);
    } else if (in_file != file.end()) {
      option.apply(settings, path + ": " + option.key, in_file->second);
    }
  }
  return settings;
}

void ModelOptions::refuse_with_server() const {
  for (size_t i = 0; i < kNumModelOptions; ++i) {
    if (flags_[i]) throw base::Error("cli.with_server", kOptions[i].flag);
  }
}

}  // namespace tulou::cli
