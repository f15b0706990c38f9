#include "tests/sim/workload/fault_injector.h"

#include <fmt/format.h>

namespace gabion {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<Task<void>> FaultInjector::Streams() {
  std::vector<Task<void>> streams;
  for (unsigned i = 0; i < options_.streams; ++i) streams.push_back(Run());
  return streams;
}

Task<void> FaultInjector::Run() {
  while (!stopping_) {
    const std::uint64_t pause = random_.Exponential(static_cast<std::uint64_t>(options_.pause_mean.count()));
    co_await clock().SleepFor(Duration(static_cast<std::int64_t>(pause)));
    if (stopping_) break;
    ++count_;
    Task<void> fault = Inject(random_.Below(kKinds));
    co_await std::move(fault);
  }
}

Task<void> FaultInjector::Inject(std::uint64_t kind) {
  switch (kind) {
    case 0:
      if (options_.kills) co_await KillAndRestart("meta", false);
      break;
    case 1:
      if (options_.kills) co_await KillAndRestart(AnyOf(cluster_.chunkservers()), false);
      break;
    case 2:
      if (options_.kills) co_await KillAndRestart(AnyServer(), true);
      break;
    case 3:
      if (options_.cuts) co_await CutWire(false);
      break;
    case 4:
      if (options_.cuts) co_await CutWire(true);
      break;
    case 5:
      if (options_.cuts) BreakConnections();
      break;
    case 6:
      if (options_.pauses) co_await Stall(AnyMachine());
      break;
    default:
      co_await SlowDisk(AnyServer());
      break;
  }
}

std::string FaultInjector::AnyServer() {
  const std::vector<std::string>& servers = cluster_.chunkservers();
  const std::uint64_t index = random_.Below(servers.size() + 1);
  return index == servers.size() ? "meta" : servers[index];
}

Task<void> FaultInjector::Sleep(Duration longest) {
  // Short ones are as interesting as long ones, so the scale is drawn first.
  const std::uint64_t scale = random_.Below(4);
  std::uint64_t limit = static_cast<std::uint64_t>(longest.count());
  for (std::uint64_t i = 0; i < scale; ++i) limit /= 10;
  const Duration drawn(static_cast<std::int64_t>(random_.Below(limit + 1)));
  return clock().SleepFor(drawn);
}

Task<void> FaultInjector::KillAndRestart(std::string name, bool gently) {
  if (!cluster_.Runs(name) || !busy_.insert(name).second) co_return;
  if (gently) {
    cluster_.world().Trace("fault: " + name + " is stopped");
    co_await cluster_.StopGently(name);
  } else {
    cluster_.Kill(name);
  }
  co_await Sleep(seconds(8));
  co_await cluster_.StartTask(name);
  busy_.erase(name);
}

Task<void> FaultInjector::CutWire(bool one_way) {
  const std::string from = AnyMachine();
  const std::string to = AnyMachine();
  const std::string wire = from + "->" + to;
  if (from == to || !busy_.insert(wire).second) co_return;
  cluster_.world().Trace(fmt::format("fault: {} is cut{}", wire, one_way ? "" : " both ways"));
  cluster_.network().Block(from, to);
  if (!one_way) cluster_.network().Block(to, from);
  co_await Sleep(seconds(8));
  cluster_.network().Mend(from, to);
  busy_.erase(wire);
}

void FaultInjector::BreakConnections() {
  const std::string a = AnyMachine();
  const std::string b = AnyMachine();
  cluster_.world().Trace(fmt::format("fault: connections of {} and {} break", a, b));
  cluster_.network().ResetConnections(a, b);
}

Task<void> FaultInjector::Stall(std::string name) {
  if (!busy_.insert(name).second) co_return;
  cluster_.world().Trace("fault: " + name + " stalls");
  cluster_.machine(name).Pause();
  co_await Sleep(seconds(8));
  cluster_.machine(name).Resume();
  busy_.erase(name);
}

Task<void> FaultInjector::SlowDisk(std::string name) {
  if (!busy_.insert(name + "'s disk").second) co_return;
  cluster_.world().Trace("fault: slow disk of " + name);
  MemoryKvContents& store = cluster_.store(name);
  const MemoryKvOptions normal = store.options();
  store.Cool();
  store.options().sync_delay_mean = milliseconds(200);
  store.options().load_delay_mean = milliseconds(20);
  co_await Sleep(seconds(5));
  store.options() = normal;
  busy_.erase(name + "'s disk");
}

}  // namespace gabion
