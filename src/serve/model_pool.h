// The models of a server within one budget of memory: loaded when asked for, unloaded when nobody
// has asked for a while or when another one needs the room.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/engine_thread.h"
#include "serve/list_response.h"
#include "serve/loaded_model.h"

namespace tulou::serve {

enum class ModelState { kUnloaded, kLoading, kLoaded, kUnloading };
// "unloaded", "loading", "loaded", "unloading".
std::string_view model_state_name(ModelState state);

// A model that may be loaded.
struct PooledModel {
  std::vector<std::string> names;  // the first one is shown; all are answered to
  ServedModel info;                // what is known before it is loaded
  uint64_t bytes = 0;              // weights and cache together, while it is loaded
  std::function<std::shared_ptr<LoadedModel>()> load;  // on a thread of the pool; may throw
};

struct PoolOptions {
  uint64_t budget = 0;                            // bytes of all that are loaded at one time
  std::optional<std::chrono::milliseconds> idle;  // then one that nobody uses is unloaded
  size_t max_waiting = 256;                       // who waits for models to be loaded
};

// For reports.
struct PoolEntry {
  std::vector<std::string> names;
  ServedModel info;
  ModelState state = ModelState::kUnloaded;
  std::shared_ptr<LoadedModel> model;  // null unless it is loaded
};

// All may be called by any thread. A model is never freed while somebody holds it.
class ModelPool {
 public:
  // The first model is the one that a request without a name means. None may need more than the
  // budget by itself. `engines` must outlive the pool.
  ModelPool(std::vector<PooledModel> models, const PoolOptions& options,
            engine::EngineThread& engines);
  // Waits for a loading that is under way. Engines are no longer stepped afterwards; what somebody
  // still holds lives until it is let go.
  ~ModelPool();
  ModelPool(const ModelPool&) = delete;
  ModelPool& operator=(const ModelPool&) = delete;

  // Error serve.model_not_found with the nearest name.
  size_t index(std::string_view name) const;
  // The model if it is loaded, else null: then load() it. Whoever holds the pointer uses it.
  std::shared_ptr<LoadedModel> acquire(size_t index);

  // Told when a load() is over, with what went wrong, if anything did. While `hold` lives the model
  // stays, so that acquire() gives it. Called on the pool's thread; must be quick.
  using Loaded = std::function<void(std::shared_ptr<const void> hold, std::exception_ptr error)>;
  // Has the model loaded, in the order of asking; others are unloaded if there is no room, once
  // those who use them have finished. Error serve.loading if too many wait.
  void load(size_t index, Loaded then);
  // Has it unloaded once nobody uses it. Nothing if it is not loaded; Error serve.conflict while it
  // is being loaded.
  void unload(size_t index);

  std::vector<PoolEntry> entries();

 private:
  struct Slot;
  struct Core;
  // These are called with the lock of the core held, and may give it up for a while.
  using Lock = std::unique_lock<std::mutex>;
  bool serve_next(Lock& lock);
  bool make_room(const Slot& wanted);
  void load_slot(Slot& slot, Lock& lock);
  void tell_waiting(Slot& slot, const std::exception_ptr& error, Lock& lock);
  void unload_unused(Lock& lock);
  void mark_idle();
  void run();

  std::shared_ptr<Core> core_;  // those who hold models share it
  PoolOptions options_;
  engine::EngineThread& engines_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tulou::serve
