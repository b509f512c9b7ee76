// What a model's matrices are multiplied with while it reads a text, gathered by GGUF names: the
// making of an importance matrix.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/model.h"
#include "nn/pass.h"
#include "quantize/importance.h"

namespace tulou::quantize {

// Where a matrix stands in a GGUF file.
struct GgufPlace {
  std::string tensor;
  int64_t index = 0;  // in a stack of `count` matrices
  int64_t count = 1;
};

// The place of a matrix that Weights::visit names ("layers.0.mlp.experts.3.up_proj"). Nothing for
// the embedding and the head, which take no importance, and for the second of two matrices that are
// one tensor there.
std::optional<GgufPlace> gguf_place(const model::ModelConfig& config, std::string_view name);

// Sums the squares of the inputs of each matrix of one model, column by column. Not thread-safe.
class InputCollector final : public nn::LinearObserver {
 public:
  // `model` must outlive it.
  explicit InputCollector(const model::Model& model);

  void observe(const nn::Linear& linear, nn::ConstMatrix x) override;
  InputStatistics statistics() const;

 private:
  struct Squares {
    int64_t width = 0;
    std::vector<double> sums;  // [count, width]
    std::vector<uint64_t> counts;
    std::vector<int64_t> columns;  // value i is column columns[i] of what is observed; empty: i
  };
  struct Place {
    Squares* squares = nullptr;
    int64_t index = 0;
  };
  std::map<std::string, Squares> squares_;
  std::unordered_map<const nn::Linear*, Place> places_;
};

}  // namespace tulou::quantize
