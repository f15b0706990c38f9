#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/env/sim/sim_machine.h"
#include "common/env/sim/sim_network.h"
#include "common/env/sim/sim_scheduler.h"

namespace gabion {

/// A world of machines in one thread, under virtual time: the same seed and the same program give the same run
/// (docs/simulation.md). Time passes only in RunUntilDone, RunUntil and RunFor, and jumps from event to event.
///
///     SimWorld world(1);
///     SimMachine& server = world.AddMachine("server");
///     Task<void> Example(SimMachine& machine) { co_await machine.env().clock.SleepFor(std::chrono::hours(1)); }
///     world.RunUntilDone(Example(server), std::chrono::hours(2));
///
/// What runs in a world is destroyed before it.
class SimWorld {
 public:
  static constexpr Duration kDefaultLimit = std::chrono::minutes(10);

  explicit SimWorld(std::uint64_t seed);
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  std::uint64_t seed() const { return scheduler_.seed(); }
  /// `name` is what Endpoints call it. `loops`: how many event loops its process has.
  SimMachine& AddMachine(std::string name, unsigned loops = 1);
  SimMachine& machine(const std::string& name);
  SimNetwork& network() { return network_; }
  SimBuggify& buggify() { return scheduler_.buggify(); }
  /// Since the world began.
  Duration elapsed() const { return scheduler_.Now() - TimePoint{}; }
  /// For the test's own decisions, from the world's seed.
  SimRandom& random() { return random_; }

  /// Runs the world until `task` is done, and returns its result. Aborts with a message that names the seed if it is
  /// not within `limit` of virtual time, or waits for something that nothing in the world will bring about.
  template <typename T>
  T RunUntilDone(Task<T> task, Duration limit = kDefaultLimit) {
    std::optional<T> result;
    RunUntilDone(StoreResult(std::move(task), &result), limit);
    return std::move(*result);
  }
  void RunUntilDone(Task<void> task, Duration limit = kDefaultLimit) {
    std::vector<Task<void>> tasks;
    tasks.push_back(std::move(task));
    RunUntilAllDone(std::move(tasks), limit);
  }

  /// All at once.
  void RunUntilAllDone(std::vector<Task<void>> tasks, Duration limit = kDefaultLimit);

  /// Runs until `condition` holds, asked after every event; false if it does not within `limit`.
  bool RunUntil(const std::function<bool()>& condition, Duration limit = kDefaultLimit);
  void RunFor(Duration duration);

  /// A running hash of everything that happened: frames, writes, syncs, faults. Equal for equal runs.
  std::uint64_t trace_hash() const { return scheduler_.trace_hash(); }
  /// Adds to it what only the test knows.
  void Trace(std::string_view what) { scheduler_.Trace(what); }

 private:
  template <typename T>
  static Task<void> StoreResult(Task<T> task, std::optional<T>* result) {
    T value = co_await std::move(task);
    result->emplace(std::move(value));
  }
  void PollAll();
  [[noreturn]] void GiveUp(std::string_view why) const;

  SimScheduler scheduler_;
  SimRandom random_;
  SimNetwork network_;
  std::vector<std::unique_ptr<SimMachine>> machines_;  // the first one is the test's own
};

}  // namespace gabion
