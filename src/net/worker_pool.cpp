#include "net/worker_pool.h"

#include <utility>

namespace tulou::net {

WorkerPool::WorkerPool(size_t num_threads, size_t max_queued) : max_queued_(max_queued) {
  for (size_t i = 0; i < num_threads; ++i) threads_.emplace_back([this] { work(); });
}

WorkerPool::~WorkerPool() { stop(); }

bool WorkerPool::add(Job job, bool counted) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || (counted && counted_ >= max_queued_)) return false;
    counted_ += counted ? 1 : 0;
    queue_.push_back({std::move(job), counted});
  }
  wake_.notify_one();
  return true;
}

bool WorkerPool::submit(Job job) { return add(std::move(job), true); }
bool WorkerPool::post(Job job) { return add(std::move(job), false); }

size_t WorkerPool::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    counted_ -= entry.counted ? 1 : 0;
    lock.unlock();
    entry.job();
    entry.job = nullptr;  // what it holds is released without the lock
    lock.lock();
  }
}

void WorkerPool::stop() {
  std::deque<Entry> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
    counted_ = 0;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace tulou::net
