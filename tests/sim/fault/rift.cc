#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

/// One chunkserver does not reach another one, while both reach everybody else: changes are on some members of a group
/// and not on others, all of them alive.
class Rift final : public Fault {
 public:
  std::string_view name() const override { return "rift"; }
  std::vector<std::string_view> rare_paths() const override { return {"client.other_copy", "chunk.clear_early"}; }

  Task<bool> Strike(FaultScene& scene) override {
    const std::string from = scene.AnyChunkserver();
    const std::string to = scene.AnyChunkserver();
    if (from == to) co_return false;
    FaultScene::Hold hold = scene.TryHold("wires of " + from);
    if (!hold) co_return false;
    scene.Trace("wire " + from + "->" + to + " is cut");
    scene.cluster().network().Block(from, to);
    co_await scene.Sleep(seconds(20));
    scene.cluster().network().Unblock(from, to);
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeRift() {
  return std::make_unique<Rift>();
}

}  // namespace gabion
