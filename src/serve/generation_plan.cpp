#include "serve/generation_plan.h"

#include <array>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"
#include "base/secret.h"
#include "completion/grammar_guide.h"
#include "completion/loop_guard.h"

namespace tulou::serve {
namespace {

uint64_t random_seed() {
  std::array<uint8_t, 8> bytes{};
  base::random_bytes(bytes);
  uint64_t seed = 0;
  std::memcpy(&seed, bytes.data(), sizeof(seed));
  return seed;
}

engine::SamplingParams sampling(const LoadedModel& model, const GenerationRequest& request,
                                bool thinking) {
  engine::SamplingParams params = model.text.sampling(model.config(), thinking);
  params.temperature = request.temperature.value_or(params.temperature);
  params.top_p = request.top_p.value_or(params.top_p);
  params.min_p = request.min_p.value_or(params.min_p);
  params.top_k = request.top_k.value_or(params.top_k);
  params.presence_penalty = request.presence_penalty.value_or(params.presence_penalty);
  params.frequency_penalty = request.frequency_penalty.value_or(params.frequency_penalty);
  params.repetition_penalty = request.repetition_penalty.value_or(params.repetition_penalty);
  params.seed = request.seed ? static_cast<uint64_t>(*request.seed) : random_seed();
  return params;
}

// A word as it stands and as it follows a space: most vocabularies have other tokens for those.
std::vector<std::vector<int32_t>> bad_words(const LoadedModel& model,
                                            const std::vector<std::string>& words) {
  std::vector<std::vector<int32_t>> result;
  for (const std::string& word : words) {
    for (const std::string& text : {word, " " + word}) {
      auto ids = model.text.tokenizer().encode(text, text::Tokenizer::Special::kText);
      if (!ids.empty()) result.push_back(std::move(ids));
    }
  }
  return result;
}

engine::Request engine_request(const LoadedModel& model, const GenerationRequest& request,
                               const Caller& caller, const AnswerRules& rules, bool thinking) {
  engine::Request result;
  result.min_tokens = request.min_tokens;
  // A grammar's end is the answer's, whatever the request thinks of stop tokens.
  const bool ruled = request.output_rule.kind != OutputRule::Kind::kNone || rules.tool_rule;
  if (!request.ignore_eos || ruled) result.stop_tokens = model.text.stop_tokens(model.config());
  result.stop_tokens.insert(result.stop_tokens.end(), request.stop_token_ids.begin(),
                            request.stop_token_ids.end());
  result.sampling = sampling(model, request, thinking);
  result.logit_bias = request.logit_bias;
  result.bad_words = bad_words(model, request.bad_words);
  if (request.logprobs) result.logprobs = request.top_logprobs;
  if (request.best_of > request.n && result.logprobs < 0) result.logprobs = 0;
  result.prompt_logprobs = request.prompt_logprobs.value_or(-1);
  result.tenant = caller.tenant;
  result.priority = caller.priority + request.priority;
  result.cache_scope = caller.tenant + '\n' + request.cache_salt;
  return result;
}

grammar::GrammarSource grammar_source(const OutputRule& rule) {
  using enum OutputRule::Kind;
  switch (rule.kind) {
    case kJsonSchema:
      return {grammar::GrammarKind::kJsonSchema, rule.text};
    case kRegex:
      return {grammar::GrammarKind::kRegex, rule.text};
    case kGrammar:
      return {grammar::GrammarKind::kEbnf, rule.text};
    case kChoice:
      return {grammar::GrammarKind::kChoice, base::to_json_text(base::Json(rule.choices))};
    case kNone:
    case kJsonObject:
      break;
  }
  return {grammar::GrammarKind::kJsonObject, ""};
}

std::shared_ptr<const grammar::CompiledGrammar> compile(
    const LoadedModel& model, const OutputRule& rule,
    const std::optional<grammar::GrammarSource>& tool_rule) {
  if (rule.kind == OutputRule::Kind::kNone && !tool_rule) return nullptr;
  if (!model.grammars)
    throw base::Error("serve.model_lacks", model.names.front(), "structured output");
  try {
    return model.grammars->compile(tool_rule ? *tool_rule : grammar_source(rule));
  } catch (const base::Error& error) {
    if (!error.id().starts_with("grammar.") || error.kind() == base::ErrorKind::kInternal) throw;
    throw base::Error("request.invalid_grammar", tool_rule ? "tools" : rule.param, error.what());
  }
}

void check_token(std::string_view field, int32_t token, int64_t vocab_size) {
  if (token < 0 || token >= vocab_size)
    throw base::Error("request.out_of_range", field, token, 0, vocab_size - 1);
}

// What may not stand in the thinking of a ruled answer: its end, and a call where one is ruled,
// which would come before the grammar has begun.
std::vector<int32_t> not_in_thinking(const LoadedModel& model, const AnswerRules& rules,
                                     const engine::Request& request) {
  std::vector<int32_t> tokens = request.stop_tokens;
  const std::optional<int32_t> call = model.text.tokenizer().find("<tool_call>");
  if (rules.tool_rule && call) tokens.push_back(*call);
  return tokens;
}

// Guides in the order in which they count: the budget's closing words before the grammar.
void add_guides(const LoadedModel& model, const AnswerRules& rules,
                const std::shared_ptr<const grammar::CompiledGrammar>& compiled,
                PlannedChoice& choice) {
  const bool in_reasoning = choice.reading.in_reasoning;
  const auto thinking = choice.reading.may_think ? model.thinking : std::nullopt;
  if (rules.thinking_budget && thinking) {
    choice.guides.push_back(std::make_unique<completion::ThinkingBudget>(
        *thinking, *rules.thinking_budget, in_reasoning));
  }
  if (rules.guard_loops) {
    completion::LoopGuardOptions options;
    options.watch_answer = compiled == nullptr;
    choice.guides.push_back(
        std::make_unique<completion::LoopGuard>(thinking, in_reasoning, options));
  }
  if (compiled) {
    choice.guides.push_back(std::make_unique<completion::GrammarGuide>(
        compiled, thinking, in_reasoning, not_in_thinking(model, rules, choice.request)));
  }
}

}  // namespace

GenerationPlan plan_generation(std::shared_ptr<LoadedModel> model, const GenerationRequest& request,
                               const std::vector<completion::Prompt>& prompts, const Caller& caller,
                               const AnswerRules& rules) {
  const int64_t context = model->engine->options().context;
  int64_t prompt_tokens = 0;
  for (const completion::Prompt& prompt : prompts) {
    const auto size = static_cast<int64_t>(prompt.ids.size());
    prompt_tokens += size;
    if (size >= context) throw base::Error("serve.context_length", size, context);
  }
  const int64_t vocab_size = model->config().vocab_size;
  for (const auto& [token, bias] : request.logit_bias) check_token("logit_bias", token, vocab_size);
  for (const int32_t token : request.stop_token_ids)
    check_token("stop_token_ids", token, vocab_size);
  check_budget(request, static_cast<int64_t>(prompts.size()), prompt_tokens, context,
               caller.budget);
  const auto compiled = compile(*model, request.output_rule, rules.tool_rule);
  GenerationPlan plan;
  plan.logprobs = request.logprobs || request.best_of > request.n;
  plan.token_ids = request.return_token_ids;
  plan.schemas = rules.schemas;
  for (const completion::Prompt& prompt : prompts) {
    engine::Request common =
        engine_request(*model, request, caller, rules, rules.may_think && prompt.thinking);
    common.prompt = prompt.ids;
    common.boundaries = prompt.boundaries;
    common.max_tokens = answer_tokens(request, static_cast<int64_t>(prompt.ids.size()), context);
    for (int64_t i = 0; i < request.num_answers(); ++i) {
      PlannedChoice choice;
      choice.request = common;
      choice.request.choice = static_cast<uint32_t>(i);
      const bool in_reasoning = rules.may_think && prompt.in_reasoning;
      choice.reading = {request.stop, in_reasoning, rules.may_think, rules.tools};
      add_guides(*model, rules, compiled, choice);
      plan.choices.push_back(std::move(choice));
    }
  }
  plan.model = std::move(model);
  return plan;
}

}  // namespace tulou::serve
