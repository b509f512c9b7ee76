// What an operation needs besides its arguments: made for one forward pass, owns nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/arena.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "nn/matrix.h"
#include "nn/precision.h"

namespace tulou::nn {

class Linear;

// Sees what the matrices of a pass are multiplied with: for statistics.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  // Called by the thread that runs the pass, before the product; x: [rows, in_features].
  virtual void observe(const Linear& linear, ConstMatrix x) = 0;
};

class Pass {
 public:
  // Everything must outlive the pass. `cancel` may be null.
  Pass(const kernels::Kernels& kernels, const base::ThreadPool::Lease& threads, base::Arena& arena,
       Precision precision = Precision::kDefault, const std::atomic<bool>* cancel = nullptr)
      : kernels_(kernels),
        threads_(threads),
        arena_(arena),
        precision_(precision),
        cancel_(cancel) {
    scratch_ = arena.allocate<float>(threads.num_threads() * worker_scratch()).data();
  }

  const kernels::Kernels& kernels() const { return kernels_; }
  Precision precision() const { return precision_; }
  base::Arena& arena() { return arena_; }
  size_t num_threads() const { return threads_.num_threads(); }
  // Null unless someone asked to see the products. It must outlive the pass.
  LinearObserver* observer() const { return observer_; }
  void set_observer(LinearObserver* observer) { observer_ = observer; }

  // Someone wants this pass to stop; its results are then worthless and may be incomplete.
  bool cancelled() const { return cancel_ != nullptr && cancel_->load(std::memory_order_relaxed); }

  // Runs job(index, worker) for each index; once cancelled, the rest is skipped.
  template <typename Job>
  void parallel_for(size_t count, const Job& job) {
    threads_.parallel_for(count, [&](size_t index, size_t worker) {
      if (!cancelled()) job(index, worker);
    });
  }

  // [rows, width] of uninitialised floats that live until the arena goes back.
  Matrix matrix(int64_t rows, int64_t width) {
    return {arena_.allocate<float>(static_cast<size_t>(rows * width)).data(), rows, width};
  }

  // Memory of one worker for the time of one job: GemmKernels::scratch floats.
  float* scratch(size_t worker) const { return scratch_ + worker * worker_scratch(); }

 private:
  size_t worker_scratch() const { return static_cast<size_t>(kernels_.gemm.scratch); }
  const kernels::Kernels& kernels_;
  const base::ThreadPool::Lease& threads_;
  base::Arena& arena_;
  Precision precision_;
  const std::atomic<bool>* cancel_;
  float* scratch_ = nullptr;
  LinearObserver* observer_ = nullptr;
};

}  // namespace tulou::nn
