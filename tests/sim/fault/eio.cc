#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kAlways = 1'000'000;  // per million

/// A server's disk fails, altogether or in one way; then it is repaired, and the server restarted, as its log says. One
/// disk at a time, while there is another copy: two of them would be an error that programs may see.
class Eio final : public Fault {
 public:
  std::string_view name() const override { return "eio"; }
  /// A member that its primary has given up is not in sync for a while, and the disk that fails then has the only copy.
  std::vector<std::string_view> forbidden_paths() const override { return {"chunk.give_up_member"}; }

  Task<bool> Strike(FaultScene& scene) override {
    const std::string server = scene.AnyChunkserver();
    const Kind kind = static_cast<Kind>(scene.random().Below(4));
    FaultScene::Hold only, hold;
    if (kind == Kind::kReads) {
      // Without the other servers that have a copy a read would be an error, where all else only waits for them.
      only = scene.TryHoldAlone();
      if (!only) co_return false;
    } else {
      only = scene.TryHold("the disk that fails");
      hold = scene.TryHold(server);
      if (!only || !hold) co_return false;
    }
    if (scene.cluster().options().replicas < 2) co_return false;
    const bool healthy = co_await scene.IsHealthy();
    if (!healthy) co_return false;
    Break(scene, server, kind);
    co_await scene.Sleep(seconds(12));
    Repair(scene.cluster().platter(server));
    scene.cluster().Kill(server);
    co_await scene.Sleep(seconds(2));
    co_await scene.cluster().StartTask(server);
    co_await scene.AwaitHealthy();
    co_return true;
  }

 private:
  enum class Kind { kReads, kWrites, kSyncs, kAll };

  static void Break(FaultScene& scene, const std::string& server, Kind kind) {
    SimPlatter& platter = scene.cluster().platter(server);
    scene.Trace("the disk of " + server + " fails");
    switch (kind) {
      case Kind::kReads:
        return platter.FailReads(kAlways / 5);
      case Kind::kWrites:
        return platter.FailWrites(kAlways / 2);
      case Kind::kSyncs:
        return platter.FailSyncs(kAlways / 2);
      case Kind::kAll:
        return platter.SetDead(true);
    }
  }

  static void Repair(SimPlatter& platter) {
    platter.FailReads(0);
    platter.FailWrites(0);
    platter.FailSyncs(0);
    platter.SetDead(false);
  }
};

}  // namespace

std::unique_ptr<Fault> MakeEio() {
  return std::make_unique<Eio>();
}

}  // namespace gabion
