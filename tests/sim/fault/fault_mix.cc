#include "tests/sim/fault/fault_mix.h"

#include <algorithm>

#include "common/base/check.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;

// Of virtual time, in which faults come as fast as they can.
constexpr Duration kFullPace = std::chrono::seconds(30);

struct NamedFault {
  std::string_view name;
  std::unique_ptr<Fault> (*make)();
};
constexpr NamedFault kFaults[] = {
    {"kill", MakeKill},         {"power", MakePower},     {"cut", MakeCut},       {"reset", MakeReset},
    {"clog", MakeClog},         {"stall", MakeStall},     {"slow", MakeSlow},     {"rot", MakeRot},
    {"full", MakeFull},         {"eio", MakeEio},         {"damage", MakeDamage}, {"island", MakeIsland},
    {"rift", MakeRift},         {"halfway", MakeHalfway}, {"late", MakeLate},     {"squeeze", MakeSqueeze},
    {"blackout", MakeBlackout}, {"absence", MakeAbsence}, {"deaf", MakeDeaf},     {"glimpse", MakeGlimpse},
    {"eviction", MakeEviction},
};

struct NamedMix {
  std::string_view name;
  std::vector<std::string_view> faults;
};
const std::vector<NamedMix>& Mixes() {
  static const std::vector<NamedMix> mixes{
      {"calm", {}},
      {"crash", {"kill", "power", "stall", "slow"}},
      {"network", {"cut", "reset", "clog", "stall"}},
      {"disk", {"slow", "rot", "full", "eio", "damage"}},
      {"replication", {"island", "rift", "halfway", "late", "squeeze", "blackout"}},
      {"all", {"kill", "power", "cut", "reset", "clog", "stall", "slow", "rot", "full", "eio", "damage"}},
  };
  return mixes;
}

std::vector<std::string_view> FaultsOf(std::string_view mix) {
  for (const NamedMix& one : Mixes()) {
    if (one.name == mix) return one.faults;
  }
  return {mix};
}

}  // namespace

std::unique_ptr<Fault> MakeFault(std::string_view name) {
  for (const NamedFault& one : kFaults) {
    if (one.name == name) return one.make();
  }
  return nullptr;
}

std::vector<std::string> FaultMix::Names() {
  std::vector<std::string> names;
  for (const NamedMix& one : Mixes()) names.emplace_back(one.name);
  for (const NamedFault& one : kFaults) names.emplace_back(one.name);
  return names;
}

FaultMix::FaultMix(std::string_view mix, SimCluster& cluster, Workload& workload) : scene_(cluster, workload) {
  std::vector<std::string_view> names = FaultsOf(mix);
  const std::uint64_t wanted = 1 + scene_.random().Below(std::max<std::size_t>(names.size(), 1));
  while (names.size() > wanted)
    names.erase(names.begin() + static_cast<std::ptrdiff_t>(scene_.random().Below(names.size())));
  for (const std::string_view name : names) {
    faults_.push_back(MakeFault(name));
    CHECK(faults_.back() != nullptr);
    for (const std::string_view point : faults_.back()->rare_paths()) cluster.world().buggify().Favour(point);
    for (const std::string_view point : faults_.back()->forbidden_paths()) cluster.world().buggify().Suppress(point);
  }
  constexpr milliseconds kPauses[] = {milliseconds(200), milliseconds(500), milliseconds(2000)};
  pause_mean_ = kPauses[scene_.random().Below(std::size(kPauses))];
}

std::vector<Task<void>> FaultMix::Streams() {
  std::vector<Task<void>> streams;
  if (faults_.empty()) return streams;
  for (std::uint64_t count = 1 + scene_.random().Below(3); count > 0; --count) streams.push_back(Run());
  return streams;
}

Task<void> FaultMix::Run() {
  const TimePoint began = scene_.clock().Now();
  while (!stopping_) {
    // Work that does not get on gets more and more room: it is to end.
    const std::int64_t slower = std::max<std::int64_t>(1, (scene_.clock().Now() - began) / kFullPace);
    const std::uint64_t pause = scene_.random().Exponential(static_cast<std::uint64_t>(pause_mean_.count()));
    co_await scene_.clock().SleepFor(Duration(static_cast<std::int64_t>(pause)) * slower);
    if (stopping_) break;
    Fault& fault = *faults_[scene_.random().Below(faults_.size())];
    const bool struck = co_await fault.Strike(scene_);
    if (struck) ++counts_[std::string(fault.name())];
  }
}

}  // namespace gabion
