#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "base/assert.h"
#include "base/number.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tulou::base {
namespace {

// About 50 us of polling before a thread sleeps: shorter than a wake-up through the kernel, short
// enough to leave the processor to others when nothing is to be done.
constexpr int kSpins = 2000;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Denormals as zero in every worker: they cost a hundred times a normal operation and change
// nothing.
void flush_denormals() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // FTZ | DAZ
#elif defined(__aarch64__)
  uint64_t fpcr = 0;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  asm volatile("msr fpcr, %0" ::"r"(fpcr | (1u << 24)));
#endif
}

}  // namespace

ThreadPool::ThreadPool(size_t num_threads) : ranges_(num_threads) {
  ASSERT(num_threads >= 1);
  flush_denormals();
  for (size_t worker = 1; worker < num_threads; ++worker)
    workers_.emplace_back([this, worker] { work(worker); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  for (std::thread& thread : workers_) thread.join();
}

ThreadPool::Lease::Lease(ThreadPool& pool) : pool_(pool) {
  pool_.lease_.lock();
  flush_denormals();  // the owner's thread is worker 0
}
ThreadPool::Lease::~Lease() { pool_.lease_.unlock(); }

void ThreadPool::claim(const Job& job, size_t worker) {
  for (size_t i = 0; i < ranges_.size(); ++i) {
    Range& range = ranges_[(worker + i) % ranges_.size()];
    for (size_t index = range.next.fetch_add(1); index < range.end; index = range.next.fetch_add(1))
      job(index, worker);
  }
}

void ThreadPool::run(size_t count, const Job& job) {
  if (workers_.empty() || count <= 1) {
    for (size_t index = 0; index < count; ++index) job(index, 0);
    return;
  }
  job_ = &job;
  for (size_t i = 0; i < ranges_.size(); ++i) {
    ranges_[i].next = count * i / ranges_.size();
    ranges_[i].end = count * (i + 1) / ranges_.size();
  }
  active_ = workers_.size();
  {
    const std::lock_guard lock(mutex_);  // no worker may miss the change between test and sleep
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  claim(job, 0);
  for (int spins = 0; active_.load() != 0; ++spins) {
    if (spins < kSpins) {
      relax();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::work(size_t worker) {
  flush_denormals();
  size_t seen = 0;
  for (;;) {
    for (int spins = 0; generation_.load() == seen && spins < kSpins; ++spins) relax();
    if (generation_.load() == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load() != seen; });
    }
    seen = generation_.load();
    if (stop_) return;
    claim(*job_, worker);
    active_.fetch_sub(1);
  }
}

size_t usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  size_t count = std::max(1u, std::thread::hardware_concurrency());
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) count = std::max(1, CPU_COUNT(&set));
  // cgroup v2: "max 100000" or "150000 100000"; v1: two files.
  const auto word = [](const char* path, int index) {
    std::ifstream file(path);
    std::string text;
    for (int i = 0; i <= index; ++i) file >> text;
    return parse_double(text).value_or(0);
  };
  double quota = word("/sys/fs/cgroup/cpu.max", 0), period = word("/sys/fs/cgroup/cpu.max", 1);
  if (quota <= 0) {
    quota = word("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", 0);
    period = word("/sys/fs/cgroup/cpu/cpu.cfs_period_us", 0);
  }
  if (quota > 0 && period > 0)
    count = std::min(count, static_cast<size_t>(std::max(1.0, quota / period)));
  return count;
}

}  // namespace tulou::base
