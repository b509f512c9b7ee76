// Loading a model for a command; see session.h.
#include "cli/session.h"

#include <algorithm>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "cli/output.h"

namespace tulou::cli {

namespace {

// Left to the system and to activations when a context is chosen.
constexpr uint64_t kReserveBytes = 256u << 20;
// States of earlier prompts that a server keeps.
constexpr int64_t kMostPrefixes = 256;

nn::CacheType choose_cache_type(const ModelSettings& settings, Precision precision) {
  if (settings.cache_type) return *settings.cache_type;
  return precision == Precision::kExact ? nn::CacheType::kF32 : nn::CacheType::kF16;
}

Precision choose_precision(const ModelSettings& settings, Precision fallback,
                           const kernels::Kernels& kernels) {
  const Precision precision = settings.precision.value_or(fallback);
  if (!settings.bf16_prefill) return precision;
  if (kernels.gemm.round == nullptr)
    throw base::Error("cli.prefill_needs_amx", hardware::name(kernels.level));
  if (precision == Precision::kExact) throw base::Error("cli.prefill_needs_default");
  return Precision::kBf16Prefill;
}

std::unique_ptr<const model::Model> load_model(const std::string& path, base::Progress& progress,
                                               const model::LoadOptions& options) {
  const auto checkpoint = checkpoint::Checkpoint::open(path);
  const model::ModelConfig config = model::read_model_config(*checkpoint);
  const uint64_t bytes = model::plan_weights(*checkpoint, config, options.exact_weights).bytes;
  if (bytes > base::available_memory())
    throw base::Error("cli.model_does_not_fit", base::human_bytes(bytes),
                      base::human_bytes(base::available_memory()));
  auto model = model::Model::load(*checkpoint, progress, options);
  checkpoint->check_unchanged();
  for (const model::Conversion& c : model->weights().conversions)
    message(c.from + " weights were converted to " + std::string(tensor::name(c.to)) +
            " for computing: " + base::to_text(c.tensors) +
            (c.tensors == 1 ? " tensor" : " tensors"));
  return model;
}

}  // namespace

std::string resolve_model(const std::string& argument) {
  const bool is_path = argument.find('/') != std::string::npos || argument.ends_with(".gguf") ||
                       base::exists(argument);
  if (!is_path) throw base::Error("cli.store_missing", base::printable(argument));
  if (!base::exists(argument)) throw base::Error("file.not_found", base::printable(argument));
  return argument;
}

Session::Session(const std::string& path, const ModelSettings& settings, Precision fallback,
                 base::Progress& progress)
    : settings_(settings),
      kernels_(kernels::select_kernels(settings.isa)),
      threads_(settings.threads ? static_cast<size_t>(*settings.threads)
                                : base::usable_processors()),
      precision_(choose_precision(settings, fallback, kernels_)),
      cache_type_(choose_cache_type(settings, precision_)),
      model_(load_model(path, progress, {precision_ == Precision::kExact})) {}

int64_t Session::longest_sequence() const {
  const int64_t longest = config().max_position_embeddings;
  if (settings_.context && *settings_.context > longest)
    throw base::Error("cli.context_beyond_model", *settings_.context, longest);
  return settings_.context.value_or(longest);
}

int64_t Session::window() const {
  const int64_t longest = longest_sequence();
  return settings_.context ? longest : std::min(kDefaultWindow, longest);
}

model::CachePlan Session::plan(int64_t num_sequences, int64_t context) const {
  const model::CachePlan wanted = model::plan_cache(config(), cache_type_, num_sequences, context);
  const uint64_t available = base::available_memory();
  if (wanted.bytes() <= available) return wanted;
  int64_t fits = context;
  while (fits > model::kKvBlockTokens &&
         model::plan_cache(config(), cache_type_, num_sequences, fits).bytes() + kReserveBytes >
             available)
    fits /= 2;
  throw base::Error("engine.context_does_not_fit", context, base::human_bytes(wanted.bytes()),
                    base::human_bytes(available), fits);
}

int64_t Session::context(int64_t num_sequences) const {
  const int64_t longest = longest_sequence();
  if (settings_.context) return longest;
  int64_t context = std::min(longest, kDefaultContext);
  const uint64_t available = base::available_memory();
  while (context > model::kKvBlockTokens &&
         model::plan_cache(config(), cache_type_, num_sequences, context).bytes() + kReserveBytes >
             available)
    context /= 2;
  return context;
}

std::unique_ptr<engine::Engine> Session::make_engine(int64_t num_sequences, int64_t context,
                                                     int64_t num_prefixes) {
  engine::EngineOptions options;
  options.context = context;
  options.num_sequences = num_sequences;
  options.cache_type = cache_type_;
  options.precision = precision_;
  if (num_prefixes > 0) {
    // Kept states share their blocks with what goes on from them: twice the room will do.
    model::CachePlan wanted = model::plan_cache(config(), cache_type_, 2 * num_sequences, context);
    wanted.num_slots = num_sequences + num_prefixes;
    if (wanted.bytes() + kReserveBytes <= base::available_memory()) {
      options.cache = wanted;
      options.max_prefixes = static_cast<size_t>(num_prefixes);
    }
  }
  return std::make_unique<engine::Engine>(*model_, kernels_, threads_, options);
}

std::unique_ptr<engine::Engine> Session::make_shared_engine(int64_t num_sequences,
                                                            size_t max_waiting, uint64_t bytes) {
  const model::CachePlan one = model::plan_cache(config(), cache_type_, 1, model::kKvBlockTokens);
  // A quarter of the room for states of earlier prompts; without recurrent states they only share
  // blocks and cost nothing by themselves.
  int64_t prefixes = kMostPrefixes;
  if (one.slot_bytes > 0) {
    const auto fit = static_cast<int64_t>(bytes / 4 / one.slot_bytes);
    prefixes = std::clamp<int64_t>(fit, 2, kMostPrefixes);
  }
  model::CachePlan plan = one;
  plan.num_slots = num_sequences + prefixes;
  const uint64_t slots = static_cast<uint64_t>(plan.num_slots) * plan.slot_bytes;
  const uint64_t left = bytes > slots ? bytes - slots : 0;
  const auto blocks = static_cast<int64_t>(left / std::max<uint64_t>(plan.block_bytes, 1));
  const int64_t longest = longest_sequence();
  const int64_t asked = settings_.context ? longest : std::min(longest, kServedContext);
  const int64_t useful = (num_sequences + prefixes) * (asked / model::kKvBlockTokens + 1);
  plan.num_blocks = std::min(blocks, useful);
  const int64_t least = settings_.context ? asked : model::kKvBlockTokens;
  const int64_t fits = plan.num_blocks * model::kKvBlockTokens;
  if (fits < least) {
    plan.num_blocks = (least - 1) / model::kKvBlockTokens + 1;
    throw base::Error("cli.memory_too_small", base::human_bytes(bytes), num_sequences, least,
                      base::human_bytes(plan.bytes()));
  }
  engine::EngineOptions options;
  options.context = std::min(asked, fits);
  options.num_sequences = num_sequences;
  options.cache_type = cache_type_;
  options.precision = precision_;
  options.max_waiting = max_waiting;
  options.cache = plan;
  options.max_prefixes = static_cast<size_t>(prefixes);
  return std::make_unique<engine::Engine>(*model_, kernels_, threads_, options);
}

}  // namespace tulou::cli
