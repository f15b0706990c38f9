#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

/// Wires stop one after the other and go on in another order, so that what was sent meanwhile arrives in bursts that
/// pass each other. Source: FoundationDB's swizzle.
class Clog final : public Fault {
 public:
  std::string_view name() const override { return "clog"; }

  Task<bool> Strike(FaultScene& scene) override {
    FaultScene::Hold hold = scene.TryHold("clogged wires");
    if (!hold) co_return false;
    std::vector<std::pair<std::string, std::string>> wires;
    for (std::uint64_t count = 1 + scene.random().Below(6); count > 0; --count) {
      wires.emplace_back(scene.AnyMachine(), scene.AnyMachine());
      if (wires.back().first == wires.back().second) wires.pop_back();
    }
    SimNetwork& network = scene.cluster().network();
    std::vector<FaultScene::Lack> lacks;
    for (const auto& [from, to] : wires) {
      scene.Trace("wire " + from + "->" + to + " is clogged");
      lacks.push_back(scene.Silence(from, to));
      network.Block(from, to);
      co_await scene.Sleep(seconds(1));
    }
    while (!wires.empty()) {
      const auto wire = wires.begin() + static_cast<std::ptrdiff_t>(scene.random().Below(wires.size()));
      network.Unblock(wire->first, wire->second);
      wires.erase(wire);
      co_await scene.Sleep(seconds(2));
    }
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeClog() {
  return std::make_unique<Clog>();
}

}  // namespace gabion
