#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"

namespace tulou::engine {
namespace {

constexpr int64_t kWorthSharing = 16;  // tokens; shorter beginnings are recomputed

int64_t common_length(const Sequence& a, const Sequence& b) {
  const auto end =
      std::mismatch(a.tokens.begin(), a.tokens.end(), b.tokens.begin(), b.tokens.end());
  return end.first - a.tokens.begin();
}

bool may_share(const Sequence& a, const Sequence& b) {
  return a.request.use_prefix_cache && b.request.use_prefix_cache &&
         a.request.cache_scope == b.request.cache_scope;
}

CacheMiss miss_of(const Sequence& sequence, const PrefixCache::Found& found) {
  if (found.known - found.length >= kWorthSharing) return CacheMiss::kNoState;
  // No state of fewer tokens is kept, and one token is always left to compute.
  const bool too_short = found.length == 0 && sequence.size() <= kWorthSharing;
  return too_short ? CacheMiss::kTooShort : CacheMiss::kNone;
}

}  // namespace

void Scheduler::add(Shared sequence) {
  sequence->number = next_number_++;
  // A tenant that was away has no credit from that time.
  const auto least = std::min_element(served_.begin(), served_.end(),
                                      [](auto& a, auto& b) { return a.second < b.second; });
  served_.try_emplace(sequence->request.tenant, least == served_.end() ? 0 : least->second);
  waiting_.push_back(std::move(sequence));
}

void Scheduler::finish(Sequence& sequence, FinishReason reason, std::exception_ptr failure) {
  if (sequence.handle) cache_.release(*sequence.handle);
  sequence.handle.reset();
  sequence.finished = true;
  sequence.stream->finish(reason, std::move(failure));
  finished_.push_back(sequence.stream);
}

std::vector<std::shared_ptr<TokenStream>> Scheduler::take_finished() {
  return std::exchange(finished_, {});
}

std::vector<std::shared_ptr<TokenStream>> Scheduler::finish_all(FinishReason reason) {
  for (const auto* list : {&running_, &waiting_}) {
    for (const Shared& sequence : *list) finish(*sequence, reason);
  }
  drop_finished();
  return take_finished();
}

void Scheduler::drop_finished() {
  const auto finished = [](const Shared& sequence) { return sequence->finished; };
  const size_t dropped = std::erase_if(running_, finished) + std::erase_if(waiting_, finished);
  if (dropped == 0) return;
  std::erase_if(served_, [&](const auto& tenant) {
    const auto of_tenant = [&](const Shared& s) { return s->request.tenant == tenant.first; };
    return std::ranges::none_of(running_, of_tenant) && std::ranges::none_of(waiting_, of_tenant);
  });
}

void Scheduler::drop_cancelled() {
  for (const auto* list : {&running_, &waiting_}) {
    for (const Shared& sequence : *list) {
      if (sequence->stream->cancelled()) finish(*sequence, FinishReason::kCancelled);
    }
  }
  drop_finished();
}

int64_t Scheduler::num_generating() const {
  return std::ranges::count_if(running_, [](const Shared& s) { return s->generating(); });
}

// A running prompt will soon keep a state that `waiting` can begin with, and that is worth waiting
// for.
bool Scheduler::is_about_to_be_kept(const Sequence& waiting) const {
  if (!waiting.request.use_prefix_cache) return false;
  int64_t best = 0;
  for (const Shared& running : running_) {
    if (!may_share(*running, waiting) || running->boundaries.empty()) continue;
    const int64_t common = std::min(common_length(*running, waiting), waiting.size() - 1);
    for (const int64_t boundary : running->boundaries) {
      if (boundary > running->num_cached && boundary <= common) best = std::max(best, boundary);
    }
  }
  if (best < kWorthSharing) return false;
  return best >= kWorthSharing + prefixes_.find(waiting.request.cache_scope, waiting.tokens).length;
}

int64_t Scheduler::running_of(const std::string& tenant) const {
  return std::ranges::count(running_, tenant, [](const Shared& s) { return s->request.tenant; });
}

// The index of the next sequence in waiting_, or its size: of all, or of tenants that have nothing
// running.
size_t Scheduler::next_to_admit(bool only_without_place) const {
  const auto rank = [&](const Sequence& s) {
    const bool passed_over = s.passed_over >= kMaxPassedOver;
    return std::tuple(!passed_over, passed_over ? 0 : s.request.priority,
                      passed_over ? 0 : served_.at(s.request.tenant), s.number);
  };
  size_t best = waiting_.size();
  for (size_t i = 0; i < waiting_.size(); ++i) {
    if (best < waiting_.size() && rank(*waiting_[best]) < rank(*waiting_[i])) continue;
    if (only_without_place && running_of(waiting_[i]->request.tenant) > 0) continue;
    if (!is_about_to_be_kept(*waiting_[i])) best = i;
  }
  return best;
}

// Moves a waiting sequence to the running ones; false if the cache has no place.
bool Scheduler::admit(size_t index) {
  const Shared sequence = waiting_[index];
  if (!begin(sequence)) return false;
  for (const Shared& other : waiting_) {
    if (other->number < sequence->number) ++other->passed_over;
  }
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
  running_.push_back(sequence);
  return true;
}

void Scheduler::admit_waiting() {
  while (static_cast<int64_t>(running_.size()) < options_.num_sequences) {
    const size_t next = next_to_admit(false);
    if (next == waiting_.size() || !admit(next)) return;
  }
  if (!waiting_.empty()) share_places();
}

// Where states of a prompt are kept: at its ends of messages, where it parts from what is known or
// from what waits, at every interval, and shortly before its end for those who ask again.
void Scheduler::plan_boundaries(Sequence& sequence, int64_t known) const {
  sequence.boundaries.clear();
  const Request& request = sequence.request;
  if (!request.use_prefix_cache) return;
  const int64_t last = sequence.prompt_size() - 1;
  std::vector<int64_t> places = request.boundaries;
  places.push_back(known);
  for (const Shared& other : waiting_) {
    if (other->number != sequence.number && may_share(*other, sequence))
      places.push_back(std::min({common_length(*other, sequence), last, other->size() - 1}));
  }
  if (options_.snapshot_interval > 0) {
    for (int64_t place = options_.snapshot_interval; place < last;
         place += options_.snapshot_interval)
      places.push_back(place);
  }
  std::ranges::sort(places);
  if (places.back() <= last - kWorthSharing) places.push_back(last);
  int64_t before = sequence.num_cached;
  for (const int64_t place : places) {
    if (place < kWorthSharing || place <= before || place > last) continue;
    sequence.boundaries.push_back(place);
    before = place;
  }
}

// Gives a sequence its place in the cache; false if there is none.
bool Scheduler::begin(const Shared& sequence) {
  const Request& request = sequence->request;
  int64_t known = 0;
  if (request.use_prefix_cache && request.prompt_logprobs < 0) {
    const PrefixCache::Found found = prefixes_.find(request.cache_scope, sequence->tokens);
    known = found.known;
    sequence->handle = prefixes_.match(request.cache_scope, sequence->tokens);
    if (sequence->handle) sequence->num_cached = found.length;
    sequence->usage.cache_miss = miss_of(*sequence, found);
  } else {
    sequence->usage.cache_miss = CacheMiss::kDisabled;
  }
  while (!sequence->handle) {
    sequence->handle = cache_.create();
    if (!sequence->handle && !prefixes_.evict()) return false;
  }
  if (sequence->usage.preemptions == 0) {
    sequence->usage.known_tokens = std::min(known, sequence->prompt_size());
    sequence->usage.cached_tokens = std::min(sequence->num_cached, sequence->prompt_size());
  }
  plan_boundaries(*sequence, known);
  sequence->stream->set_usage(sequence->usage);
  sequence->stream->set_prompt_done(std::min(sequence->num_cached, sequence->prompt_size()));
  return true;
}

// Takes back a running sequence's place. Its tokens stay, and its state for as long as the prefix
// cache has room for it; what is lost is computed again, to the same bits.
void Scheduler::preempt(size_t index) {
  const Shared victim = running_[index];
  if (victim->request.use_prefix_cache && victim->num_cached >= kWorthSharing)
    keep_state(*victim, Lasting::kNo);
  cache_.release(*victim->handle);
  victim->handle.reset();
  victim->num_cached = 0;
  ++victim->usage.preemptions;
  ++num_preemptions_;
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  const auto later = [&](const Shared& s) { return s->number > victim->number; };
  waiting_.insert(std::ranges::find_if(waiting_, later), victim);
}

// Preempts who was admitted last of those that are not in the batch yet.
bool Scheduler::preempt_for(const Sequence& sequence, const ScheduledBatch& scheduled) {
  for (size_t i = running_.size(); i-- > 0;) {
    const Shared& victim = running_[i];
    const auto in_batch = [&](const auto& entry) { return entry.sequence == victim; };
    if (victim.get() == &sequence || std::ranges::any_of(scheduled.entries, in_batch)) continue;
    preempt(i);
    return true;
  }
  return false;
}

// All places are taken. A tenant that has none does not wait for one that has more than its share:
// the last sequence of whoever has the most gives way.
void Scheduler::share_places() {
  const size_t next = next_to_admit(true);
  if (next == waiting_.size()) return;
  const Shared newcomer = waiting_[next];
  const auto tenants = static_cast<int64_t>(served_.size());
  int64_t most = std::max<int64_t>(options_.num_sequences / tenants, 1) + 1;
  size_t victim = running_.size();
  for (size_t i = 0; i < running_.size(); ++i) {
    const int64_t places = running_of(running_[i]->request.tenant);
    if (places < most || running_[i]->request.priority < newcomer->request.priority) continue;
    most = places;
    victim = i;
  }
  if (victim == running_.size()) return;
  preempt(victim);
  admit(static_cast<size_t>(std::ranges::find(waiting_, newcomer) - waiting_.begin()));
}

bool Scheduler::make_room(const Sequence& sequence, int64_t num_tokens,
                          const ScheduledBatch& scheduled) {
  while (!cache_.reserve(*sequence.handle, num_tokens)) {
    if (prefixes_.evict()) continue;
    // Only for an older one: else two would take turns in driving each other out.
    const bool last = running_.back().get() == &sequence;
    if (last || !preempt_for(sequence, scheduled)) return false;
  }
  return true;
}

// Adds up to `budget` tokens of a sequence; false if nothing was added.
bool Scheduler::plan(const Shared& sequence, int64_t budget, ScheduledBatch& scheduled) {
  const int64_t missing = sequence->num_missing();
  int64_t count = std::min(missing, budget);
  const bool all_logits = sequence->request.prompt_logprobs >= 0 && !sequence->generating();
  if (all_logits) count = std::min(count, kMaxLogitRows);
  const auto boundary = std::ranges::upper_bound(sequence->boundaries, sequence->num_cached);
  if (boundary != sequence->boundaries.end())
    count = std::min(count, *boundary - sequence->num_cached);
  if (count <= 0 || !make_room(*sequence, count, scheduled)) return false;
  const auto begin = static_cast<size_t>(sequence->num_cached);
  const std::span<const int32_t> tokens =
      std::span(sequence->tokens).subspan(begin, static_cast<size_t>(count));
  const bool samples = count == missing;
  const bool hidden = sequence->request.yield == Yield::kHidden;
  const model::Want last = hidden ? model::Want::kHidden : model::Want::kLogits;
  const model::Want others = all_logits ? model::Want::kLogits : model::Want::kNothing;
  scheduled.batch.add(*sequence->handle, tokens, sequence->num_cached, others,
                      samples ? last : others);
  scheduled.entries.push_back({sequence, count, samples});
  return true;
}

ScheduledBatch Scheduler::schedule(int64_t prompt_tokens) {
  drop_cancelled();
  admit_waiting();
  ScheduledBatch scheduled;
  // Those that generate come first: their users are watching. Planning may preempt, so a copy.
  for (const bool generating : {true, false}) {
    int64_t budget = generating ? options_.num_sequences : prompt_tokens;
    for (const Shared& sequence : std::vector<Shared>(running_)) {
      if (!sequence->handle || sequence->generating() != generating) continue;
      if (plan(sequence, budget, scheduled)) budget -= scheduled.entries.back().num_tokens;
    }
  }
  return scheduled;
}

void Scheduler::serve(const Sequence& sequence, int64_t num_tokens) {
  served_.at(sequence.request.tenant) += num_tokens;
}

// Keeps the state of all tokens that were computed; on disk, too, if somebody may come back to it
// after a restart.
void Scheduler::keep_state(const Sequence& sequence, Lasting lasting) {
  const auto tokens = std::span(sequence.tokens).first(static_cast<size_t>(sequence.num_cached));
  prefixes_.insert(sequence.request.cache_scope, tokens, *sequence.handle);
  if (disk_ != nullptr && lasting == Lasting::kYes)
    disk_->keep(sequence.request.cache_scope, tokens, *sequence.handle);
}

// The end of a message, or what asking again begins with: not a mere interval of a long prompt.
bool Scheduler::is_lasting(const Sequence& sequence) {
  return sequence.num_cached == sequence.prompt_size() - 1 ||
         std::ranges::find(sequence.request.boundaries, sequence.num_cached) !=
             sequence.request.boundaries.end();
}

void Scheduler::append(Sequence& sequence, Chosen& chosen) {
  FinishReason reason = chosen.finish;
  if (chosen.has_token && sequence.request.yield == Yield::kTokens) {
    const bool stop = chosen.token.is_stop;
    sequence.tokens.push_back(chosen.token.token);
    sequence.stream->push(std::move(chosen.token));
    const bool full = sequence.answer_size() == sequence.request.max_tokens ||
                      sequence.size() >= options_.context;
    if (reason == FinishReason::kNone && stop) reason = FinishReason::kStop;
    if (reason == FinishReason::kNone && full) reason = FinishReason::kLength;
  }
  if (reason == FinishReason::kNone) return;
  if (sequence.request.use_prefix_cache && sequence.num_cached >= kWorthSharing &&
      reason != FinishReason::kFailed)
    keep_state(sequence, Lasting::kYes);
  finish(sequence, reason, std::move(chosen.failure));
}

void Scheduler::commit(const ScheduledBatch& scheduled, std::span<Chosen> chosen) {
  size_t next = 0;
  for (const ScheduledBatch::Entry& entry : scheduled.entries) {
    Sequence& sequence = *entry.sequence;
    cache_.commit(*sequence.handle, entry.num_tokens);
    sequence.num_cached += entry.num_tokens;
    serve(sequence, entry.num_tokens);
    sequence.stream->set_prompt_done(std::min(sequence.num_cached, sequence.prompt_size()));
    if (std::ranges::binary_search(sequence.boundaries, sequence.num_cached))
      keep_state(sequence, is_lasting(sequence) ? Lasting::kYes : Lasting::kNo);
    if (!entry.samples) continue;
    ASSERT(next < chosen.size());
    append(sequence, chosen[next++]);
  }
  drop_finished();
}

void Scheduler::abandon(const ScheduledBatch& scheduled, FinishReason reason,
                        const std::exception_ptr& failure) {
  for (const ScheduledBatch::Entry& entry : scheduled.entries)
    finish(*entry.sequence, reason, failure);
  drop_finished();
}

void Scheduler::check_integrity() const {
  for (const Shared& sequence : running_) {
    ASSERT(sequence->handle && !sequence->finished);
    ASSERT(cache_.length(*sequence->handle) == sequence->num_cached);
    ASSERT(std::ranges::find(waiting_, sequence) == waiting_.end());
  }
  for (const Shared& sequence : waiting_) ASSERT(!sequence->handle && !sequence->finished);
  cache_.check_integrity();
}

}  // namespace tulou::engine
