#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A chunkserver does not reach the metaserver, and from about when its lease runs out on neither its peers nor some of
/// the clients; to the others, whose map is old, it would tell what grows old while everybody else goes on without it.
class Island final : public Fault {
 public:
  std::string_view name() const override { return "island"; }
  std::vector<std::string_view> rare_paths() const override { return {"client.late_map"}; }

  Task<bool> Strike(FaultScene& scene) override {
    FaultScene::Hold hold = scene.TryHold("island");  // with two of them nobody goes on
    const std::string island = scene.AnyChunkserver();
    FaultScene::Hold wires = scene.TryHold("wires of " + island);
    if (!hold || !wires) co_return false;
    SimNetwork& network = scene.cluster().network();
    scene.Trace(island + " is cut off from the metaserver");
    network.Cut(island, "meta");
    co_await scene.clock().SleepFor(milliseconds(scene.random().Below(3500)));
    scene.Trace(island + " is cut off from all servers");
    for (const std::string& other : scene.cluster().chunkservers()) {
      if (other != island) network.Cut(island, other);
    }
    for (const std::string& client : scene.cluster().clients()) {
      if (scene.random().Chance(1, 2)) network.Cut(island, client);
    }
    co_await scene.clock().SleepFor(seconds(3 + scene.random().Below(5)));
    for (const std::string& other : scene.cluster().names()) network.Mend(island, other);
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeIsland() {
  return std::make_unique<Island>();
}

}  // namespace gabion
