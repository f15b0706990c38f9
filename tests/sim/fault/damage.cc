#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The index of a server's store is damaged, while the other copies are whole: the server begins afresh. It finds out
/// when it reads there, at the latest when it is started again.
class Damage final : public Fault {
 public:
  std::string_view name() const override { return "damage"; }

  Task<bool> Strike(FaultScene& scene) override {
    FaultScene::Hold alone = scene.TryHoldAlone();
    if (!alone || scene.cluster().options().replicas < 2) co_return false;
    const bool healthy = co_await scene.IsHealthy();
    if (!healthy) co_return false;
    const std::string server = scene.AnyChunkserver();
    MemoryKvContents& index = scene.cluster().store(server);
    scene.Trace("the index of " + server + " is damaged");
    index.SetDamaged(true);
    co_await scene.Sleep(seconds(5));
    if (index.is_damaged() && scene.cluster().Runs(server)) {
      scene.cluster().Kill(server);
      co_await scene.Sleep(seconds(2));
      co_await scene.cluster().StartTask(server);
    }
    while (index.is_damaged()) co_await scene.clock().SleepFor(milliseconds(200));
    co_await scene.AwaitHealthy();
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeDamage() {
  return std::make_unique<Damage>();
}

}  // namespace gabion
