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

  Task<bool> Strike(FaultScene& scene) override {
    const std::string server = scene.AnyChunkserver();
    FaultScene::Hold only = scene.TryHold("the disk that fails");
    FaultScene::Hold hold = scene.TryHold(server);
    if (!only || !hold || scene.cluster().options().replicas < 2) co_return false;
    const bool healthy = co_await scene.IsHealthy();
    if (!healthy) co_return false;
    Break(scene, server);
    co_await scene.Sleep(seconds(12));
    Repair(scene.cluster().platter(server));
    scene.cluster().Kill(server);
    co_await scene.Sleep(seconds(2));
    co_await scene.cluster().StartTask(server);
    co_await scene.AwaitHealthy();
    co_return true;
  }

 private:
  static void Break(FaultScene& scene, const std::string& server) {
    SimPlatter& platter = scene.cluster().platter(server);
    scene.Trace("the disk of " + server + " fails");
    switch (scene.random().Below(4)) {
      case 0:
        return platter.FailReads(kAlways / 5);
      case 1:
        return platter.FailWrites(kAlways / 2);
      case 2:
        return platter.FailSyncs(kAlways / 2);
      default:
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
