#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

/// A chunkserver that does not reach one of the others dies: its last changes are on some members and not on all.
class Halfway final : public Fault {
 public:
  std::string_view name() const override { return "halfway"; }
  std::vector<std::string_view> rare_paths() const override { return {"client.other_copy", "chunk.clear_early"}; }

  Task<bool> Strike(FaultScene& scene) override {
    const std::string primary = scene.AnyChunkserver();
    const std::string member = scene.AnyChunkserver();
    if (primary == member) co_return false;
    FaultScene::Hold hold = scene.TryHold(primary);
    FaultScene::Hold wires = scene.TryHold("wires of " + primary);
    if (!hold || !wires) co_return false;
    SimNetwork& network = scene.cluster().network();
    scene.Trace("wire " + primary + "->" + member + " is cut, then " + primary + " dies");
    network.Block(primary, member);
    co_await scene.Sleep(seconds(6));
    // Who was writing may not be there to write it again.
    const std::string client = scene.AnyOf(scene.cluster().clients());
    FaultScene::Hold stall = scene.TryHold(client);
    FaultScene::Lack lack;
    if (stall) lack = scene.Standstill(client);
    if (stall) scene.cluster().machine(client).Pause();
    scene.cluster().Kill(primary);
    co_await scene.Sleep(seconds(8));
    if (stall) scene.cluster().machine(client).Resume();
    network.Unblock(primary, member);
    co_await scene.cluster().StartTask(primary);
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeHalfway() {
  return std::make_unique<Halfway>();
}

}  // namespace gabion
