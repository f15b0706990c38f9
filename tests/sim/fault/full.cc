#include "common/base/byte_units.h"
#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

/// Something else fills a server's disk, up to somewhere around what Gabion keeps free of it, and is removed again.
class Full final : public Fault {
 public:
  std::string_view name() const override { return "full"; }
  bool is_outage() const override { return false; }

  Task<bool> Strike(FaultScene& scene) override {
    if (!scene.workload().takes_no_space()) co_return false;
    const std::string server = scene.AnyChunkserver();
    FaultScene::Hold hold = scene.TryHold("space of " + server);
    if (!hold) co_return false;
    SimPlatter& platter = scene.cluster().platter(server);
    const std::uint64_t capacity = platter.options().capacity_bytes;
    const std::uint64_t left = scene.random().Below(8 * kMiB);
    const FaultScene::Lack lack = scene.NoSpace();
    scene.Trace(server + ": its disk is full but for " + std::to_string(left) + " bytes");
    platter.FillUp(left);
    co_await scene.Sleep(seconds(10));
    platter.options().capacity_bytes = capacity;
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeFull() {
  return std::make_unique<Full>();
}

}  // namespace gabion
