#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

class Reset final : public Fault {
 public:
  std::string_view name() const override { return "reset"; }
  bool is_outage() const override { return false; }

  Task<bool> Strike(FaultScene& scene) override {
    const std::string a = scene.AnyMachine();
    const std::string b = scene.AnyMachine();
    scene.Trace("connections of " + a + " and " + b + " break");
    scene.cluster().network().ResetConnections(a, b);
    co_return a != b;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeReset() {
  return std::make_unique<Reset>();
}

}  // namespace gabion
