#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

/// Nothing passes between two machines, or between one and all others; in one direction or in both.
class Cut final : public Fault {
 public:
  std::string_view name() const override { return "cut"; }

  Task<bool> Strike(FaultScene& scene) override {
    const std::string from = scene.AnyMachine();
    std::vector<std::string> others{scene.AnyMachine()};
    if (scene.random().Chance(1, 4)) others = scene.cluster().names();
    std::erase(others, from);
    FaultScene::Hold hold = scene.TryHold("wires of " + from);
    if (!hold || others.empty()) co_return false;
    const std::uint64_t ways = scene.random().Below(3);  // there, back, both
    SimNetwork& network = scene.cluster().network();
    std::vector<FaultScene::Lack> lacks;
    for (const std::string& to : others) {
      lacks.push_back(scene.Silence(from, to));
      scene.Trace("wire " + from + (ways == 0 ? "->" : ways == 1 ? "<-" : "<->") + to + " is cut");
      if (ways != 1) network.Block(from, to);
      if (ways != 0) network.Block(to, from);
    }
    co_await scene.Sleep(seconds(20));
    for (const std::string& to : others) network.Mend(from, to);
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeCut() {
  return std::make_unique<Cut>();
}

}  // namespace gabion
