#include "model/state_cache.h"

#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/buffer.h"

namespace tulou::model {

struct StateCache::Memory {
  base::Buffer blocks, slots;
};

CachePlan plan_cache(const ModelConfig& config, nn::CacheType type, int64_t num_sequences,
                     int64_t context) {
  CachePlan plan;
  plan.num_blocks = num_sequences * ((context + kKvBlockTokens - 1) / kKvBlockTokens);
  plan.num_slots = num_sequences;
  plan.block_bytes = static_cast<uint64_t>(kKvBlockTokens) * config.kv_bytes_per_token(type);
  plan.slot_bytes = config.recurrent_bytes();
  return plan;
}

StateCache::StateCache(const ModelConfig& config, nn::CacheType type, const CachePlan& plan)
    : config_(config), type_(type), plan_(plan), memory_(std::make_unique<Memory>()) {
  const auto num_blocks = static_cast<uint64_t>(plan.num_blocks);
  memory_->blocks = base::Buffer(num_blocks * plan.block_bytes, "the cache of keys and values");
  memory_->slots =
      base::Buffer(static_cast<uint64_t>(plan.num_slots) * plan.slot_bytes, "the recurrent states");
  int32_t full = 0, linear = 0;
  for (const LayerConfig& layer : config.layers)
    state_index_.push_back(layer.mixer == Mixer::kFullAttention ? full++ : linear++);
  if (full > 0) layer_block_bytes_ = plan.block_bytes / static_cast<uint64_t>(full);
  delta_floats_ = static_cast<size_t>(config.linear_num_value_heads * config.linear_key_head_dim *
                                      config.linear_value_head_dim);
  conv_floats_ =
      static_cast<size_t>((config.linear_conv_kernel_dim - 1) * config.linear_conv_dim());
  for (int64_t i = plan.num_blocks; i-- > 0;) free_blocks_.push_back(static_cast<int32_t>(i));
  for (int64_t i = plan.num_slots; i-- > 0;) free_slots_.push_back(static_cast<int32_t>(i));
  block_users_.assign(static_cast<size_t>(plan.num_blocks), 0);
  slot_users_.assign(static_cast<size_t>(plan.num_slots), 0);
}

StateCache::~StateCache() = default;

std::byte* StateCache::block_data(int32_t block, size_t attention_layer) const {
  return memory_->blocks.data() + static_cast<size_t>(block) * plan_.block_bytes +
         attention_layer * layer_block_bytes_;
}

float* StateCache::slot_data(int32_t slot) const {
  return reinterpret_cast<float*>(memory_->slots.data() +
                                  static_cast<size_t>(slot) * plan_.slot_bytes);
}

const StateCache::Sequence& StateCache::sequence(SequenceHandle handle) const {
  ASSERT(handle >= 0 && static_cast<size_t>(handle) < sequences_.size());
  const Sequence& found = sequences_[static_cast<size_t>(handle)];
  ASSERT(found.used);
  return found;
}

StateCache::Sequence& StateCache::sequence(SequenceHandle handle) {
  return const_cast<Sequence&>(std::as_const(*this).sequence(handle));
}

SequenceHandle StateCache::new_handle() {
  for (size_t i = 0; i < sequences_.size(); ++i) {
    if (!sequences_[i].used) return static_cast<SequenceHandle>(i);
  }
  sequences_.emplace_back();
  return static_cast<SequenceHandle>(sequences_.size() - 1);
}

std::optional<SequenceHandle> StateCache::create() {
  if (free_slots_.empty()) return std::nullopt;
  const SequenceHandle handle = new_handle();
  Sequence& created = sequences_[static_cast<size_t>(handle)];
  created = Sequence{};
  created.used = true;
  created.slot = free_slots_.back();
  free_slots_.pop_back();
  slot_users_[static_cast<size_t>(created.slot)] = 1;
  return handle;
}

int64_t StateCache::length(SequenceHandle handle) const { return sequence(handle).length; }

bool StateCache::reserve(SequenceHandle handle, int64_t num_tokens) {
  Sequence& s = sequence(handle);
  ASSERT(!s.frozen && num_tokens >= 0);
  const auto first_written = static_cast<size_t>(s.length / kKvBlockTokens);
  const auto needed =
      static_cast<size_t>((s.length + num_tokens + kKvBlockTokens - 1) / kKvBlockTokens);
  std::vector<size_t> shared;  // blocks that will be written and have another user
  for (size_t i = first_written; i < s.blocks.size(); ++i) {
    if (block_users_[static_cast<size_t>(s.blocks[i])] > 1) shared.push_back(i);
  }
  const size_t fresh = needed > s.blocks.size() ? needed - s.blocks.size() : 0;
  const bool copy_slot = slot_users_[static_cast<size_t>(s.slot)] > 1;
  if (fresh + shared.size() > free_blocks_.size() || (copy_slot && free_slots_.empty()))
    return false;
  const auto take_block = [&] {
    const int32_t block = free_blocks_.back();
    free_blocks_.pop_back();
    block_users_[static_cast<size_t>(block)] = 1;
    return block;
  };
  for (const size_t i : shared) {
    const int32_t copy = take_block();
    std::memcpy(block_data(copy, 0), block_data(s.blocks[i], 0), plan_.block_bytes);
    drop_block(s.blocks[i]);
    s.blocks[i] = copy;
  }
  for (size_t i = 0; i < fresh; ++i) s.blocks.push_back(take_block());
  if (copy_slot) {
    const int32_t copy = free_slots_.back();
    free_slots_.pop_back();
    slot_users_[static_cast<size_t>(copy)] = 1;
    if (plan_.slot_bytes > 0) std::memcpy(slot_data(copy), slot_data(s.slot), plan_.slot_bytes);
    drop_slot(s.slot);
    s.slot = copy;
  }
  return true;
}

void StateCache::commit(SequenceHandle handle, int64_t num_tokens) {
  Sequence& s = sequence(handle);
  s.length += num_tokens;
  ASSERT(s.length <= static_cast<int64_t>(s.blocks.size()) * kKvBlockTokens);
}

std::optional<SequenceHandle> StateCache::share(SequenceHandle handle, bool frozen) {
  const SequenceHandle other = new_handle();  // may move sequences_
  const Sequence& from = sequence(handle);
  Sequence& to = sequences_[static_cast<size_t>(other)];
  to = from;
  to.frozen = frozen;
  for (const int32_t block : to.blocks) ++block_users_[static_cast<size_t>(block)];
  ++slot_users_[static_cast<size_t>(to.slot)];
  return other;
}

std::optional<SequenceHandle> StateCache::fork(SequenceHandle handle) {
  return share(handle, false);
}

std::optional<SequenceHandle> StateCache::fork_prefix(SequenceHandle handle, int64_t length) {
  ASSERT(length == sequence(handle).length ||
         (plan_.slot_bytes == 0 && length >= 0 && length < sequence(handle).length));
  const auto other = share(handle, false);
  if (!other) return other;
  Sequence& s = sequence(*other);
  const auto blocks = static_cast<size_t>((length + kKvBlockTokens - 1) / kKvBlockTokens);
  while (s.blocks.size() > blocks) {
    drop_block(s.blocks.back());
    s.blocks.pop_back();
  }
  s.length = length;
  return other;
}

std::optional<SequenceHandle> StateCache::snapshot(SequenceHandle handle) {
  return share(handle, true);
}

int64_t StateCache::num_snapshots() const {
  int64_t count = 0;
  for (const Sequence& s : sequences_) count += s.used && s.frozen ? 1 : 0;
  return count;
}

void StateCache::drop_block(int32_t block) {
  if (--block_users_[static_cast<size_t>(block)] == 0) free_blocks_.push_back(block);
}

void StateCache::drop_slot(int32_t slot) {
  if (--slot_users_[static_cast<size_t>(slot)] == 0) free_slots_.push_back(slot);
}

void StateCache::release(SequenceHandle handle) {
  Sequence& s = sequence(handle);
  for (const int32_t block : s.blocks) drop_block(block);
  drop_slot(s.slot);
  s = Sequence{};
}

nn::AttentionState StateCache::attention_state(SequenceHandle handle, size_t layer) {
  const Sequence& s = sequence(handle);
  const auto index = static_cast<size_t>(state_index_[layer]);
  return {type_, s.length, s.blocks, block_data(0, index), plan_.block_bytes};
}

nn::DeltaState StateCache::delta_state(SequenceHandle handle, size_t layer) {
  const Sequence& s = sequence(handle);
  float* state =
      slot_data(s.slot) + static_cast<size_t>(state_index_[layer]) * (delta_floats_ + conv_floats_);
  return {s.length == 0, state, state + delta_floats_};
}

void StateCache::check_integrity() const {
  std::vector<int32_t> blocks(block_users_.size(), 0), slots(slot_users_.size(), 0);
  for (const Sequence& s : sequences_) {
    if (!s.used) continue;
    ASSERT(s.length <= static_cast<int64_t>(s.blocks.size()) * kKvBlockTokens);
    for (const int32_t block : s.blocks) ++blocks[static_cast<size_t>(block)];
    ++slots[static_cast<size_t>(s.slot)];
  }
  ASSERT(blocks == block_users_ && slots == slot_users_);
  for (const int32_t block : free_blocks_) ASSERT(block_users_[static_cast<size_t>(block)] == 0);
  for (const int32_t slot : free_slots_) ASSERT(slot_users_[static_cast<size_t>(slot)] == 0);
  const auto used = [](const std::vector<int32_t>& users) {
    size_t count = 0;
    for (const int32_t n : users) count += n > 0 ? 1 : 0;
    return count;
  };
  ASSERT(used(blocks) + free_blocks_.size() == blocks.size());
  ASSERT(used(slots) + free_slots_.size() == slots.size());
}

}  // namespace tulou::model
