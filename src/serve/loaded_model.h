// A model that is served: its text side, its engine, and what is known of both.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "completion/text_model.h"
#include "completion/thinking_budget.h"
#include "engine/engine.h"
#include "grammar/compiler.h"
#include "serve/list_response.h"
#include "text/template.h"
#include "text/tool_call_parser.h"

namespace tulou::serve {

// Put together by whoever loads models. Immutable but for what the engine and the compiler do; may
// be used by any thread.
struct LoadedModel {
  std::vector<std::string> names;       // the first one is shown; all are answered to
  std::shared_ptr<const void> weights;  // what the engine refers to
  completion::TextModel text;
  std::optional<text::ChatTemplate> chat_template;
  text::ToolCallFormat tool_format = text::ToolCallFormat::kNone;
  std::optional<completion::ThinkingTokens> thinking;
  std::unique_ptr<grammar::GrammarCompiler> grammars;  // null: no helper process could be had
  ServedModel info;
  std::string fingerprint;                 // system_fingerprint: which program and weights answer
  std::unique_ptr<engine::Engine> engine;  // last: refers to the weights

  const model::ModelConfig& config() const { return engine->model().config(); }
};

}  // namespace tulou::serve
