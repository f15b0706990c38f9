#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

/// A server gives up a connection on which it waits, and makes another one; what it had sent on the old one arrives all
/// the same, after what it sends on the new one.
class Late final : public Fault {
 public:
  std::string_view name() const override { return "late"; }
  bool is_outage() const override { return false; }
  std::vector<std::string_view> rare_paths() const override { return {"client.other_copy", "chunk.clear_early"}; }

  Task<bool> Strike(FaultScene& scene) override {
    const std::string from = scene.AnyChunkserver();
    const std::string to = scene.AnyChunkserver();
    if (from == to) co_return false;
    FaultScene::Hold hold = scene.TryHold("wires of " + from);
    if (!hold) co_return false;
    SimNetwork& network = scene.cluster().network();
    scene.Trace("what " + from + " sends to " + to + " comes late");
    network.Block(from, to);
    co_await scene.Sleep(seconds(1));
    network.Strand(from, to, std::chrono::milliseconds(scene.random().Below(3000)));
    network.Unblock(from, to);
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeLate() {
  return std::make_unique<Late>();
}

}  // namespace gabion
