#include "serve/model_pool.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <utility>

#include "base/assert.h"
#include "base/error.h"
#include "serve/api_error.h"

namespace tulou::serve {

using Clock = std::chrono::steady_clock;

struct ModelPool::Slot {
  PooledModel about;
  ModelState state = ModelState::kUnloaded;
  std::shared_ptr<LoadedModel> model;
  int64_t users = 0;  // leases
  int64_t holds = 0;  // of those who were told and have not yet acquired it
  Clock::time_point last_used{};
  std::vector<Loaded> waiting;
  bool is_wanted = false;
};

struct ModelPool::Core {
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<Slot> slots;    // as many as at the beginning, at the same places
  std::deque<Slot*> wanted;  // in the order of asking
  size_t num_waiting = 0;
  bool end = false;

  // With the lock held. `is_use` false: a look, which does not count against idleness.
  static std::shared_ptr<LoadedModel> lease(const std::shared_ptr<Core>& core, Slot& slot,
                                            bool is_use) {
    LoadedModel* model = slot.model.get();
    ++slot.users;
    return {model, [core, &slot, is_use](LoadedModel*) {
              const std::lock_guard lock(core->mutex);
              --slot.users;
              if (is_use) slot.last_used = Clock::now();
              core->changed.notify_all();
            }};
  }

  static std::shared_ptr<const void> hold(const std::shared_ptr<Core>& core, Slot& slot) {
    ++slot.holds;
    return {&slot, [core, &slot](const void*) {
              const std::lock_guard lock(core->mutex);
              --slot.holds;
              core->changed.notify_all();
            }};
  }

  bool can_unload() const {
    return std::ranges::any_of(slots, [](const Slot& slot) {
      return slot.state == ModelState::kUnloading && slot.users == 0;
    });
  }

  uint64_t resident_bytes(bool with_unloading) const {
    uint64_t bytes = 0;
    for (const Slot& slot : slots) {
      const bool stays = slot.state == ModelState::kLoaded || slot.state == ModelState::kLoading;
      if (stays || (with_unloading && slot.state == ModelState::kUnloading))
        bytes += slot.about.bytes;
    }
    return bytes;
  }
};

std::string_view model_state_name(ModelState state) {
  switch (state) {
    case ModelState::kUnloaded:
      return "unloaded";
    case ModelState::kLoading:
      return "loading";
    case ModelState::kLoaded:
      return "loaded";
    case ModelState::kUnloading:
      return "unloading";
  }
  return "unloaded";
}

ModelPool::ModelPool(std::vector<PooledModel> models, const PoolOptions& options,
                     engine::EngineThread& engines)
    : core_(std::make_shared<Core>()), options_(options), engines_(engines) {
  for (const PooledModel& model : models) ASSERT(model.bytes <= options.budget);
  for (PooledModel& model : models) core_->slots.emplace_back().about = std::move(model);
  thread_ = std::thread([this] { run(); });
}

ModelPool::~ModelPool() {
  {
    const std::lock_guard lock(core_->mutex);
    core_->end = true;
  }
  core_->changed.notify_all();
  thread_.join();
  for (Slot& slot : core_->slots) {
    if (slot.model) engines_.remove(*slot.model->engine);
  }
}

size_t ModelPool::index(std::string_view name) const {
  if (name.empty()) return 0;
  std::vector<std::string> served;
  for (size_t i = 0; i < core_->slots.size(); ++i) {
    const std::vector<std::string>& names = core_->slots[i].about.names;  // never changed
    if (std::ranges::find(names, name) != names.end()) return i;
    served.insert(served.end(), names.begin(), names.end());
  }
  throw model_not_found(name, served);
}

std::shared_ptr<LoadedModel> ModelPool::acquire(size_t index) {
  const std::lock_guard lock(core_->mutex);
  Slot& slot = core_->slots.at(index);
  if (slot.state != ModelState::kLoaded) return nullptr;
  return Core::lease(core_, slot, /*is_use=*/true);
}

void ModelPool::load(size_t index, Loaded then) {
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->end || core_->num_waiting >= options_.max_waiting)
      throw base::Error("serve.loading");
    Slot& slot = core_->slots.at(index);
    slot.waiting.push_back(std::move(then));
    ++core_->num_waiting;
    if (!std::exchange(slot.is_wanted, true)) core_->wanted.push_back(&slot);
  }
  core_->changed.notify_all();
}

void ModelPool::unload(size_t index) {
  {
    const std::lock_guard lock(core_->mutex);
    Slot& slot = core_->slots.at(index);
    if (slot.state == ModelState::kLoading || slot.holds > 0) throw base::Error("serve.conflict");
    if (slot.state == ModelState::kLoaded) slot.state = ModelState::kUnloading;
  }
  core_->changed.notify_all();
}

std::vector<PoolEntry> ModelPool::entries() {
  const std::lock_guard lock(core_->mutex);
  std::vector<PoolEntry> entries;
  for (Slot& slot : core_->slots) {
    PoolEntry& entry = entries.emplace_back();
    entry.names = slot.about.names;
    entry.state = slot.state;
    entry.info = slot.about.info;
    if (slot.state != ModelState::kLoaded) continue;
    entry.info = slot.model->info;
    entry.model = Core::lease(core_, slot, /*is_use=*/false);
  }
  return entries;
}

// Marks models for unloading until `wanted` fits beside the rest: first those that nobody uses, of
// these the one whose last use is longest ago. True if there is room now.
bool ModelPool::make_room(const Slot& wanted) {
  const auto fits = [&](bool with_unloading) {
    return core_->resident_bytes(with_unloading) + wanted.about.bytes <= options_.budget;
  };
  while (!fits(/*with_unloading=*/false)) {
    Slot* victim = nullptr;
    for (Slot& slot : core_->slots) {
      if (slot.state != ModelState::kLoaded || slot.holds > 0) continue;
      const auto rank = [](const Slot& one) { return std::pair(one.users > 0, one.last_used); };
      if (victim == nullptr || rank(slot) < rank(*victim)) victim = &slot;
    }
    if (victim == nullptr) break;  // those who hold one will let it go
    victim->state = ModelState::kUnloading;
  }
  return fits(/*with_unloading=*/true);
}

void ModelPool::tell_waiting(Slot& slot, const std::exception_ptr& error, Lock& lock) {
  std::vector<Loaded> told = std::exchange(slot.waiting, {});
  core_->num_waiting -= told.size();
  std::vector<std::shared_ptr<const void>> holds(told.size());
  if (!error) {
    for (auto& hold : holds) hold = Core::hold(core_, slot);
  }
  lock.unlock();
  for (size_t i = 0; i < told.size(); ++i) told[i](std::move(holds[i]), error);
  told.clear();
  lock.lock();
}

void ModelPool::load_slot(Slot& slot, Lock& lock) {
  slot.state = ModelState::kLoading;
  lock.unlock();
  std::shared_ptr<LoadedModel> model;
  std::exception_ptr error;
  try {
    model = slot.about.load();
    engines_.add(*model->engine);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  slot.model = std::move(model);
  slot.state = error ? ModelState::kUnloaded : ModelState::kLoaded;
  slot.last_used = Clock::now();
  tell_waiting(slot, error, lock);
}

// Does what the first in line needs; false if that has to wait.
bool ModelPool::serve_next(Lock& lock) {
  Slot& slot = *core_->wanted.front();
  if (slot.state == ModelState::kUnloading) return false;  // first it has to be gone
  const bool is_loaded = slot.state == ModelState::kLoaded;
  if (!is_loaded && !make_room(slot)) return false;
  core_->wanted.pop_front();
  slot.is_wanted = false;
  if (is_loaded)
    tell_waiting(slot, nullptr, lock);
  else
    load_slot(slot, lock);
  return true;
}

void ModelPool::unload_unused(Lock& lock) {
  for (Slot& slot : core_->slots) {
    if (slot.state != ModelState::kUnloading || slot.users > 0) continue;
    // Nobody can get it any more: it is not loaded in the eyes of acquire().
    std::shared_ptr<LoadedModel> model = std::move(slot.model);
    lock.unlock();
    engines_.remove(*model->engine);
    model.reset();
    lock.lock();
    slot.state = ModelState::kUnloaded;
  }
}

void ModelPool::mark_idle() {
  if (!options_.idle) return;
  for (Slot& slot : core_->slots) {
    if (slot.state == ModelState::kLoaded && slot.users == 0 && slot.holds == 0 &&
        Clock::now() - slot.last_used >= *options_.idle)
      slot.state = ModelState::kUnloading;
  }
}

void ModelPool::run() {
  constexpr std::chrono::milliseconds kLongestLook{1000};  // how late idleness may be seen
  Lock lock(core_->mutex);
  while (!core_->end) {
    mark_idle();
    unload_unused(lock);
    if (!core_->wanted.empty() && serve_next(lock)) continue;
    if (core_->end || core_->can_unload()) continue;
    const auto look = std::min(options_.idle.value_or(kLongestLook), kLongestLook);
    core_->changed.wait_for(lock, look);
  }
  // Whoever still waits is told that there will be nothing.
  for (Slot& slot : core_->slots)
    tell_waiting(slot, std::make_exception_ptr(base::Error("serve.stopping")), lock);
}

}  // namespace tulou::serve
