// Options that every command which loads a model shares. One table makes the flag, the environment
// variable and the key of the configuration file; a flag beats the environment, which beats the
// file.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/arguments.h"
#include "nn/layer_state.h"
#include "nn/precision.h"

namespace tulou::cli {

// MODEL where weights are needed, and where the tokenizer or the template is enough.
void declare_model(Arguments& arguments, std::string& model);
void declare_text_model(Arguments& arguments, std::string& model);

using nn::Precision;

// What was asked for; absent where nobody said anything.
struct ModelSettings {
  std::optional<int64_t> threads;
  std::string isa;                     // empty: the best level
  std::optional<Precision> precision;  // kDefault or kExact
  bool bf16_prefill = false;
  std::optional<nn::CacheType> cache_type;
  std::optional<int64_t> context;
};

inline constexpr size_t kNumModelOptions = 6;

// The shared options of one command line.
class ModelOptions {
 public:
  // Adds the flags, in a group of their own.
  void declare(Arguments& arguments);
  // After parsing: flags, environment and configuration file together. Error cli.bad_value,
  // cli.unknown_setting.
  ModelSettings resolve() const;
  // Error cli.with_server if a flag was typed: the server has loaded its models already.
  void refuse_with_server() const;

 private:
  std::array<std::optional<std::string>, kNumModelOptions> flags_;
};

}  // namespace tulou::cli
