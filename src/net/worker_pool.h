// Threads with one queue: where handlers run. Requests have a bound on how many may wait.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tulou::net {

class WorkerPool {
 public:
  using Job = std::function<void()>;

  // Jobs must not throw.
  WorkerPool(size_t num_threads, size_t max_queued);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, without running it, if max_queued submitted jobs wait already, or after stop().
  bool submit(Job job);
  // The same without the bound.
  bool post(Job job);
  size_t queued() const;
  // Waits for the running jobs; drops the ones that wait.
  void stop();

 private:
  struct Entry {
    Job job;
    bool counted;
  };
  bool add(Job job, bool counted);
  void work();

  size_t max_queued_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> queue_;
  size_t counted_ = 0;  // of the queue, those that submit() has put there
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tulou::net
