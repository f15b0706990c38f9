#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

/// Longer than a server's lease (5 s) and than a session lives (10 s).
constexpr Duration kLongest = std::chrono::seconds(15);

class Stall final : public Fault {
 public:
  std::string_view name() const override { return "stall"; }

  Task<bool> Strike(FaultScene& scene) override {
    const std::string name = scene.AnyMachine();
    FaultScene::Hold hold = scene.TryHold(name);
    if (!hold) co_return false;
    scene.Trace(name + " stalls");
    const FaultScene::Lack lack = scene.Standstill(name);
    scene.cluster().machine(name).Pause();
    co_await scene.Sleep(kLongest);
    scene.cluster().machine(name).Resume();
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeStall() {
  return std::make_unique<Stall>();
}

}  // namespace gabion
