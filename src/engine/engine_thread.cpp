#include "engine/engine_thread.h"

#include <algorithm>
#include <exception>

namespace tulou::engine {

EngineThread::EngineThread(std::function<void(const std::string&)> on_failure)
    : on_failure_(std::move(on_failure)), thread_([this] { run(); }) {}

EngineThread::~EngineThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EngineThread::wake() {
  {
    const std::lock_guard lock(mutex_);
    work_ = true;
  }
  changed_.notify_all();
}

void EngineThread::add(Engine& engine) {
  engine.set_wake([this] { wake(); });
  {
    const std::lock_guard lock(mutex_);
    engines_.push_back(&engine);
  }
  wake();
}

void EngineThread::remove(Engine& engine) {
  engine.set_wake({});
  std::unique_lock lock(mutex_);
  std::erase(engines_, &engine);
  changed_.wait(lock, [&] { return stepping_ != &engine; });
}

// One step of each engine; false if none had work.
bool EngineThread::step_all() {
  bool worked = false;
  std::vector<Engine*> engines;
  {
    const std::lock_guard lock(mutex_);
    engines = engines_;
  }
  for (Engine* engine : engines) {
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return false;
      if (std::ranges::find(engines_, engine) == engines_.end()) continue;
      stepping_ = engine;
    }
    try {
      worked = engine->step() || worked;
    } catch (const std::exception& error) {
      worked = true;
      if (on_failure_) on_failure_(error.what());
    }
    {
      const std::lock_guard lock(mutex_);
      stepping_ = nullptr;
    }
    changed_.notify_all();
  }
  return worked;
}

void EngineThread::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || work_; });
      if (stop_) return;
      work_ = false;
    }
    while (step_all()) {
    }
  }
}

}  // namespace tulou::engine
