// What sequences keep between steps: keys and values of full-attention layers in blocks of 64
// tokens, and a recurrent slot (delta-rule matrices, convolution tails) for linear-attention
// layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/batch.h"
#include "model/model_config.h"
#include "nn/layer_state.h"

namespace tulou::model {

inline constexpr int64_t kKvBlockTokens = nn::kKvBlockTokens;

// How many bytes a cache takes, before it is made.
struct CachePlan {
  int64_t num_blocks = 0;  // each holds 64 tokens of every full-attention layer
  int64_t num_slots = 0;   // each holds one recurrent state
  uint64_t block_bytes = 0, slot_bytes = 0;
  uint64_t bytes() const {
    return static_cast<uint64_t>(num_blocks) * block_bytes +
           static_cast<uint64_t>(num_slots) * slot_bytes;
  }
};
// Room for `num_sequences` sequences of `context` tokens each.
CachePlan plan_cache(const ModelConfig& config, nn::CacheType type, int64_t num_sequences,
                     int64_t context);

// Allocated once. Blocks and slots are shared by forked sequences and copied when written (copy on
// write). One owner; not thread-safe, except that layer_state() may be called by many threads.
class StateCache {
 public:
  // Error memory.exhausted if the memory is not to be had.
  StateCache(const ModelConfig& config, nn::CacheType type, const CachePlan& plan);
  ~StateCache();
  StateCache(const StateCache&) = delete;
  StateCache& operator=(const StateCache&) = delete;

  // A new, empty sequence; no value if no recurrent slot is free.
  std::optional<SequenceHandle> create();
  // Committed tokens of a sequence.
  int64_t length(SequenceHandle handle) const;
  // Makes room to write `num_tokens` more; false (and nothing changed) if blocks or slots are
  // missing.
  bool reserve(SequenceHandle handle, int64_t num_tokens);
  // The next `num_tokens` reserved ones have been written by a forward pass.
  void commit(SequenceHandle handle, int64_t num_tokens);
  // A second sequence with the same state, sharing memory until either writes.
  std::optional<SequenceHandle> fork(SequenceHandle handle);
  // As fork, but of the first `length` tokens alone. A recurrent state cannot be cut back: with one
  // `length` must be that of the sequence.
  std::optional<SequenceHandle> fork_prefix(SequenceHandle handle, int64_t length);
  // As fork, but the result can only be forked and released: a kept prefix. Counted by
  // num_snapshots().
  std::optional<SequenceHandle> snapshot(SequenceHandle handle);
  void release(SequenceHandle handle);

  // The sequence's state as bytes (versioned, checked), and back into a new sequence of a cache of
  // the same model and type. Error cache.corrupt or cache.incompatible; `source` names the bytes.
  std::vector<std::byte> save(SequenceHandle handle) const;
  SequenceHandle load(std::span<const std::byte> bytes, const std::string& source);

  // The memory of the first `length` tokens of a sequence, which must be reserved: whole blocks in
  // order, then the recurrent slot. What save() writes, without a copy. A kept prefix is not
  // written by anybody; into a sequence that was created and reserved, and is not used before its
  // commit(), another thread may write.
  std::vector<std::span<std::byte>> state_parts(SequenceHandle handle, int64_t length) const;
  // Bytes of all parts together.
  uint64_t state_bytes(int64_t length) const;

  // What the layer of a sequence reads and writes in a forward pass.
  nn::AttentionState attention_state(SequenceHandle handle, size_t layer);
  nn::DeltaState delta_state(SequenceHandle handle, size_t layer);

  int64_t num_free_blocks() const { return static_cast<int64_t>(free_blocks_.size()); }
  int64_t num_free_slots() const { return static_cast<int64_t>(free_slots_.size()); }
  int64_t num_snapshots() const;
  nn::CacheType type() const { return type_; }
  const CachePlan& plan() const { return plan_; }
  // Asserts that every block and slot is either free or counted by exactly its users.
  void check_integrity() const;

 private:
  struct Sequence {
    bool used = false, frozen = false;
    int64_t length = 0;
    std::vector<int32_t> blocks;
    int32_t slot = -1;
  };
  std::byte* block_data(int32_t block, size_t attention_layer) const;
  float* slot_data(int32_t slot) const;
  const Sequence& sequence(SequenceHandle handle) const;
  Sequence& sequence(SequenceHandle handle);
  SequenceHandle new_handle();
  std::optional<SequenceHandle> share(SequenceHandle handle, bool frozen);
  void drop_block(int32_t block);
  void drop_slot(int32_t slot);

  ModelConfig config_;
  nn::CacheType type_;
  CachePlan plan_;
  std::vector<int32_t> state_index_;  // layer -> its number among the layers of its mixer
  size_t layer_block_bytes_ = 0;      // one block of one layer: keys, then values
  size_t delta_floats_ = 0, conv_floats_ = 0;
  struct Memory;
  std::unique_ptr<Memory> memory_;
  std::vector<int32_t> free_blocks_, free_slots_;
  std::vector<int32_t> block_users_, slot_users_;
  std::vector<Sequence> sequences_;
};

}  // namespace tulou::model
