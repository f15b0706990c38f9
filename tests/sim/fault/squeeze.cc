#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A server's disk is full, for which it is put out of its groups at once, while the metaserver's answers reach it only
/// now and then, hardly often enough for its lease.
class Squeeze final : public Fault {
 public:
  std::string_view name() const override { return "squeeze"; }
  std::vector<std::string_view> rare_paths() const override { return {"client.other_copy", "chunk.clear_early"}; }

  Task<bool> Strike(FaultScene& scene) override {
    if (!scene.workload().takes_no_space()) co_return false;
    const std::string server = scene.AnyChunkserver();
    FaultScene::Hold space = scene.TryHold("space of " + server);
    FaultScene::Hold wires = scene.TryHold("wires of " + server);
    if (!space || !wires) co_return false;
    SimNetwork& network = scene.cluster().network();
    SimPlatter& platter = scene.cluster().platter(server);
    const std::uint64_t capacity = platter.options().capacity_bytes;
    const TimePoint end = scene.clock().Now() + seconds(1 + scene.random().Below(8));
    const FaultScene::Lack lack = scene.NoSpace();
    scene.Trace(server + ": its disk is full, and it hears little from the metaserver");
    while (scene.clock().Now() < end) {
      network.Block("meta", server);
      co_await scene.clock().SleepFor(milliseconds(scene.random().Below(500)));
      platter.FillUp();
      co_await scene.clock().SleepFor(milliseconds(500 + scene.random().Below(1500)));
      network.Unblock("meta", server);
      co_await scene.clock().SleepFor(milliseconds(scene.random().Below(300)));
    }
    platter.options().capacity_bytes = capacity;
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeSqueeze() {
  return std::make_unique<Squeeze>();
}

}  // namespace gabion
