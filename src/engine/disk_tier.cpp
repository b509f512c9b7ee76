#include "engine/disk_tier.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tulou::engine {
namespace {

// Shares of the cache that may be taken by states being written, and by states being loaded: one
// part in so many, but always one state.
constexpr uint64_t kWriteShare = 8, kLoadShare = 4;
constexpr size_t kMostJobs = 64;
// Assumed until something was loaded: a slow disk, or a fast one and the time of the MAC.
constexpr double kFirstBytesPerSecond = 500e6;

}  // namespace

DiskTier::DiskTier(std::shared_ptr<PrefixStore> store, const base::Digest& identity,
                   model::StateCache& cache, PrefixCache& prefixes, std::function<void()> wake)
    : store_(std::move(store)),
      identity_(identity),
      cache_(cache),
      prefixes_(prefixes),
      wake_(std::move(wake)),
      load_bytes_per_second_(kFirstBytesPerSecond),
      thread_([this] { run(); }) {}

DiskTier::~DiskTier() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// Whether a state may be taken out of the engine's hands beside those that are.
bool DiskTier::fits(uint64_t bytes, uint64_t share, bool load) const {
  uint64_t taken = 0;
  for (const Shared& job : open_) taken += job->load == load ? job->head.payload : 0;
  const uint64_t most = cache_.plan().bytes() / share;
  return open_.size() < kMostJobs && (taken == 0 || taken + bytes <= most);
}

// An empty sequence with room for `length` tokens.
std::optional<model::SequenceHandle> DiskTier::make_room(int64_t length) {
  std::optional<model::SequenceHandle> handle = cache_.create();
  while (!handle && prefixes_.evict()) handle = cache_.create();
  if (!handle) return handle;
  while (!cache_.reserve(*handle, length)) {
    if (prefixes_.evict()) continue;
    cache_.release(*handle);
    return std::nullopt;
  }
  return handle;
}

bool DiskTier::hold(const std::shared_ptr<Sequence>& sequence, double token_seconds) {
  const Request& request = sequence->request;
  if (!request.use_prefix_cache || request.prompt_logprobs >= 0) return false;
  const PrefixNames names(store_->key(), identity_, request.cache_scope, sequence->tokens);
  const std::optional<PrefixHead> head = store_->find(names);
  if (!head) return false;
  const auto same = [&](const Shared& job) { return job->load && job->head == *head; };
  if (const auto job = std::ranges::find_if(open_, same); job != open_.end()) {
    (*job)->waiting.push_back(sequence);
    return true;
  }
  const auto length = static_cast<int64_t>(head->length);
  const int64_t saved = length - prefixes_.find(request.cache_scope, sequence->tokens).length;
  if (saved < static_cast<int64_t>(PrefixStore::kFewestTokens)) return false;
  if (head->payload != cache_.state_bytes(length) || !fits(head->payload, kLoadShare, true))
    return false;
  double seconds = 0;
  {
    const std::lock_guard lock(mutex_);
    seconds = static_cast<double>(head->payload) / load_bytes_per_second_;
  }
  if (token_seconds > 0 && seconds > token_seconds * static_cast<double>(saved)) return false;
  const std::optional<model::SequenceHandle> handle = make_room(length);
  if (!handle) return false;
  const auto tokens = std::span(sequence->tokens).first(head->length);
  post(std::make_shared<Job>(Job{true,
                                 *head,
                                 request.cache_scope,
                                 {tokens.begin(), tokens.end()},
                                 *handle,
                                 cache_.state_parts(*handle, length),
                                 {sequence},
                                 false}));
  return true;
}

void DiskTier::keep(std::string_view scope, std::span<const int32_t> tokens,
                    model::SequenceHandle handle) {
  const auto length = static_cast<int64_t>(tokens.size());
  const uint64_t bytes = cache_.state_bytes(length);
  const PrefixNames names(store_->key(), identity_, scope, tokens);
  const std::optional<PrefixHead> head = store_->announce(names, bytes);
  if (!head) return;
  const auto kept = fits(bytes, kWriteShare, false) ? cache_.snapshot(handle) : std::nullopt;
  if (!kept) {
    store_->withdraw(*head);
    const std::lock_guard lock(mutex_);
    ++stats_.dropped;
    return;
  }
  post(std::make_shared<Job>(Job{false,
                                 *head,
                                 std::string(scope),
                                 {tokens.begin(), tokens.end()},
                                 *kept,
                                 cache_.state_parts(*kept, length),
                                 {},
                                 false}));
}

void DiskTier::post(const Shared& job) {
  open_.push_back(job);
  {
    const std::lock_guard lock(mutex_);
    // Somebody waits for what is loaded.
    const auto place =
        job->load ? std::ranges::find_if(queue_, [](auto& j) { return !j->load; }) : queue_.end();
    queue_.insert(place, job);
  }
  changed_.notify_all();
}

std::vector<std::shared_ptr<Sequence>> DiskTier::collect() {
  std::vector<std::shared_ptr<Sequence>> ready;
  std::deque<Shared> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (const Shared& job : finished) {
    std::erase(open_, job);
    if (job->load && job->done) {
      cache_.commit(job->handle, static_cast<int64_t>(job->head.length));
      prefixes_.insert(job->scope, job->tokens, job->handle);
    }
    cache_.release(job->handle);
    ready.insert(ready.end(), job->waiting.begin(), job->waiting.end());
  }
  return ready;
}

std::vector<std::shared_ptr<Sequence>> DiskTier::give_up() {
  std::vector<std::shared_ptr<Sequence>> held;
  for (const Shared& job : open_) {
    held.insert(held.end(), job->waiting.begin(), job->waiting.end());
    job->waiting.clear();
  }
  return held;
}

size_t DiskTier::num_held() const {
  size_t count = 0;
  for (const Shared& job : open_) count += job->waiting.size();
  return count;
}

void DiskTier::run() {
  using Clock = std::chrono::steady_clock;
  while (true) {
    Shared job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;
      job = queue_.front();
      queue_.pop_front();
      if (stop_ && job->load) continue;  // nobody will take it
    }
    const Clock::time_point begin = Clock::now();
    job->done = job->load ? store_->read(job->head, job->tokens, job->parts)
                          : store_->write(job->head, job->tokens, job->parts);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    {
      const std::lock_guard lock(mutex_);
      if (job->load && job->done) {
        const double rate = static_cast<double>(job->head.payload) / std::max(seconds, 1e-6);
        load_bytes_per_second_ = 0.8 * load_bytes_per_second_ + 0.2 * rate;
        ++stats_.hits;
        stats_.tokens_found += static_cast<int64_t>(job->head.length);
      }
      if (!job->load) ++(job->done ? stats_.writes : stats_.dropped);
      finished_.push_back(job);
    }
    wake_();
  }
}

DiskTierStats DiskTier::stats() const {
  DiskTierStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = stats_;
  }
  stats.store = store_->stats();
  return stats;
}

}  // namespace tulou::engine
