// A request inside the engine: its tokens so far and its place in the cache.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/token_guide.h"
#include "engine/token_stream.h"
#include "model/batch.h"

namespace tulou::engine {

struct Sequence {
  Request request;
  std::vector<std::unique_ptr<TokenGuide>> guides;
  std::shared_ptr<TokenStream> stream;

  std::vector<int32_t> tokens;  // the prompt, then the answer
  int64_t num_cached = 0;       // tokens whose state is in the cache
  std::optional<model::SequenceHandle> handle;
  std::vector<int64_t> boundaries;  // where states are kept, rising; those above num_cached
  StreamUsage usage;
  uint64_t number = 0;               // in order of arrival
  int64_t prompt_logprobs_done = 0;  // tokens of the prompt whose log-probabilities are delivered
  int64_t passed_over = 0;           // later requests that were admitted before this one
  bool finished = false;

  int64_t prompt_size() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  int64_t answer_size() const { return size() - prompt_size(); }
  std::span<const int32_t> answer() const {
    return std::span(tokens).subspan(request.prompt.size());
  }
  int64_t num_missing() const { return size() - num_cached; }
  // One row a step: the last token.
  bool generating() const { return answer_size() > 0 && num_missing() == 1; }
};

}  // namespace tulou::engine
