#include "common/env/sim/sim_world.h"

#include <fmt/format.h>

#include <asio/co_spawn.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "common/base/check.h"

namespace gabion {
namespace {

// Handlers of one instant of virtual time; more means a loop that never sleeps.
constexpr std::uint64_t kMaxTurnsPerInstant = 10'000'000;

}  // namespace

SimWorld::SimWorld(std::uint64_t seed) : scheduler_(seed), random_(DeriveSeed(seed, "test")), network_(scheduler_) {
  AddMachine("test");
}

SimWorld::~SimWorld() {
  // Coroutines that still wait are destroyed while all that they may touch is there. Destroying one may make another
  // ready, so more than once.
  scheduler_.DropEvents();
  network_.DropWaiters();
  for (int round = 0; round < 3; ++round) {
    for (auto& machine : machines_) machine->DropHandlers();
  }
}

SimMachine& SimWorld::AddMachine(std::string name, unsigned loops) {
  CHECK(!network_.HasMachine(name));
  machines_.push_back(std::make_unique<SimMachine>(scheduler_, network_, std::move(name), loops));
  return *machines_.back();
}

SimMachine& SimWorld::machine(const std::string& name) {
  for (auto& machine : machines_) {
    if (machine->name() == name) return *machine;
  }
  GiveUp("there is no machine called " + name);
}

void SimWorld::GiveUp(std::string_view why) const {
  fmt::print(stderr, "simulation (seed {}) at {:.6f} s of virtual time: {}\n", seed(),
             static_cast<double>(scheduler_.Now().ns) / 1e9, why);
  std::abort();
}

void SimWorld::PollAll() {
  std::uint64_t turns = 0;
  bool had_work = true;
  while (had_work) {
    had_work = false;
    for (auto& machine : machines_) had_work |= machine->Poll();
    if (++turns > kMaxTurnsPerInstant) GiveUp("code runs on and on without letting time pass");
  }
}

bool SimWorld::RunUntil(const std::function<bool()>& condition, Duration limit) {
  const TimePoint end = scheduler_.Now() + limit;
  PollAll();
  while (!condition()) {
    const std::optional<TimePoint> next = scheduler_.NextEvent();
    if (!next || *next > end) return false;
    scheduler_.RunNext();
    PollAll();
  }
  return true;
}

void SimWorld::RunFor(Duration duration) {
  const TimePoint end = scheduler_.Now() + duration;
  RunUntil([] { return false; }, duration);
  scheduler_.JumpTo(end);
}

void SimWorld::RunUntilAllDone(std::vector<Task<void>> tasks, Duration limit) {
  std::size_t running = tasks.size();
  std::exception_ptr exception;
  for (Task<void>& task : tasks) {
    asio::co_spawn(machines_.front()->io(), std::move(task), [&running, &exception](std::exception_ptr thrown) {
      if (thrown) exception = thrown;
      --running;
    });
  }
  if (!RunUntil([&running] { return running == 0; }, limit)) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit).count();
    GiveUp(scheduler_.NextEvent() ? fmt::format("the task is not done after {} s", seconds)
                                  : std::string("the task waits for something that will never happen"));
  }
  if (exception) std::rethrow_exception(exception);
}

}  // namespace gabion
