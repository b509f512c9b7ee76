// A fixed set of worker threads that share the work of one owner at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tulou::base {

// The caller is worker 0, so a pool of n threads starts n - 1. Each worker has a range of indices
// of its own, so that it goes through neighbours one after the other; who is done takes from the
// ranges of others. The result of a job must not depend on which thread ran which index.
class ThreadPool {
 public:
  // Called with an index in [0, count) and the worker's number in [0, num_threads()).
  using Job = std::function<void(size_t index, size_t worker)>;

  explicit ThreadPool(size_t num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t num_threads() const { return workers_.size() + 1; }

  // The right to run jobs; held for one engine step or one training step. Blocks while another
  // owner holds it.
  class Lease {
   public:
    explicit Lease(ThreadPool& pool);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    size_t num_threads() const { return pool_.num_threads(); }
    // Runs job(0..count-1) and returns when all are done. `job` must not throw.
    void parallel_for(size_t count, const Job& job) const { pool_.run(count, job); }

   private:
    ThreadPool& pool_;
  };

 private:
  void run(size_t count, const Job& job);
  void work(size_t worker);
  void claim(const Job& job, size_t worker);

  // Indices that belong to one worker, on a cache line of their own.
  struct alignas(64) Range {
    std::atomic<size_t> next{0};
    size_t end = 0;
  };

  std::vector<std::thread> workers_;
  std::vector<Range> ranges_;  // one for each thread; written before generation_ changes
  std::mutex lease_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<size_t> generation_{0};  // one more for each parallel_for
  std::atomic<size_t> active_{0};      // workers that have not finished this generation
  const Job* job_ = nullptr;           // written before generation_ changes
  std::atomic<bool> stop_{false};
};

// Processors this process may use: the affinity mask and the cgroup's CPU quota, at least 1.
size_t usable_processors();

}  // namespace tulou::base
