// The thread that steps engines: all of them in turn, as long as there is work.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"

namespace tulou::engine {

class EngineThread {
 public:
  // `on_failure` hears, on the engine thread, of a step that threw; its sequences have ended.
  explicit EngineThread(std::function<void(const std::string&)> on_failure = {});
  // Finishes the step under way.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // From here on the engine is stepped; it must live until remove().
  void add(Engine& engine);
  // Waits for the engine's step under way, after which it is not touched any more.
  void remove(Engine& engine);

 private:
  void run();
  bool step_all();
  void wake();

  std::function<void(const std::string&)> on_failure_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Engine*> engines_;
  Engine* stepping_ = nullptr;
  bool work_ = false, stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tulou::engine
