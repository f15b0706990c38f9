#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

/// What was not synced survives the power loss of one chunkserver, for others have it; so while that one is behind, no
/// other server may fail. A metaserver's power loss, or that of all servers, may take it; so only work that tells the
/// synced from the rest meets those.
class Power final : public Fault {
 public:
  std::string_view name() const override { return "power"; }

  Task<bool> Strike(FaultScene& scene) override {
    const bool may_lose = scene.workload().expects_synced_only() && scene.random().Chance(1, 2);
    Task<bool> strike = may_lose ? HitSeveral(scene) : HitOne(scene);
    co_return co_await std::move(strike);
  }

  static Task<bool> HitOne(FaultScene& scene) {
    FaultScene::Hold alone = scene.TryHoldAlone();
    if (!alone || scene.cluster().options().replicas < 2) co_return false;
    const bool healthy = co_await scene.IsHealthy();
    if (!healthy) co_return false;
    const std::string name = scene.AnyChunkserver();
    scene.cluster().LosePower(name);
    scene.workload().OneLostPower();
    co_await scene.Sleep(seconds(12));
    co_await scene.cluster().StartTask(name);
    co_await scene.AwaitHealthy();
    co_return true;
  }

 private:
  static Task<bool> HitSeveral(FaultScene& scene) {
    std::vector<std::string> names{scene.AnyServer()};
    if (scene.random().Chance(1, 2)) {
      names = scene.cluster().chunkservers();
      names.emplace_back("meta");
    }
    std::vector<FaultScene::Hold> holds;
    for (const std::string& name : names) {
      holds.push_back(scene.TryHold(name));
      if (!holds.back()) co_return false;
    }
    for (const std::string& name : names) scene.cluster().LosePower(name);
    scene.workload().PowerLost();
    for (const std::string& name : names) {
      co_await scene.Sleep(seconds(12));
      co_await scene.cluster().StartTask(name);
    }
    co_return true;
  }
};

/// As Power of one chunkserver, which may be after its changes were taken off the unsettled sets: what they had to be
/// synced for.
class Blackout final : public Fault {
 public:
  std::string_view name() const override { return "blackout"; }
  std::vector<std::string_view> rare_paths() const override { return {"chunk.clear_early"}; }
  Task<bool> Strike(FaultScene& scene) override { return Power::HitOne(scene); }
};

}  // namespace

std::unique_ptr<Fault> MakePower() {
  return std::make_unique<Power>();
}

std::unique_ptr<Fault> MakeBlackout() {
  return std::make_unique<Blackout>();
}

}  // namespace gabion
