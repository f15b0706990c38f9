#include "common/env/sim/sim_disk.h"
#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

/// A bit of a stored block turns over, on one server. A good copy is needed then, so nothing else fails meanwhile; and
/// one that nobody reads is not repaired before a pass of scrub, so it is made good in the end.
class Rot final : public Fault {
 public:
  std::string_view name() const override { return "rot"; }
  bool is_outage() const override { return false; }

  Task<bool> Strike(FaultScene& scene) override {
    FaultScene::Hold alone = scene.TryHoldAlone();
    if (!alone || scene.cluster().options().replicas < 2) co_return false;
    const bool healthy = co_await scene.IsHealthy();
    if (!healthy) co_return false;
    const std::string server = scene.AnyChunkserver();
    SimPlatter& platter = scene.cluster().platter(server);
    const std::vector<std::string> files = platter.FileNames();
    if (files.empty()) co_return false;
    const std::string file = scene.AnyOf(files);
    const std::vector<std::uint64_t> units = platter.UnitsOf(file);
    if (units.empty()) co_return false;
    const std::uint64_t unit = units[scene.random().Below(units.size())];
    const std::uint64_t offset = unit + scene.random().Below(SimPlatter::kUnitBytes);
    scene.Trace(server + ": a bit of " + file + " at " + std::to_string(offset) + " turns over");
    const std::function<void()> restore =
        platter.FlipBitForNow(file, offset, static_cast<unsigned>(scene.random().Below(8)));
    co_await scene.Sleep(seconds(10));
    restore();
    co_await scene.AwaitHealthy();
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeRot() {
  return std::make_unique<Rot>();
}

}  // namespace gabion
