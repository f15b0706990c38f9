#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Slow final : public Fault {
 public:
  std::string_view name() const override { return "slow"; }
  bool is_outage() const override { return false; }

  Task<bool> Strike(FaultScene& scene) override {
    const std::string name = scene.AnyServer();
    FaultScene::Hold hold = scene.TryHold("disk of " + name);
    if (!hold) co_return false;
    scene.Trace("slow disk of " + name);
    MemoryKvContents& store = scene.cluster().store(name);
    const MemoryKvOptions normal = store.options();
    store.Cool();
    store.options().sync_delay_mean = milliseconds(200);
    store.options().load_delay_mean = milliseconds(20);
    SimDiskOptions& disk = scene.cluster().platter(name).options();
    const SimDiskOptions normal_disk = disk;
    disk.read_delay_mean = milliseconds(20);
    disk.write_delay_mean = milliseconds(5);
    disk.sync_delay_mean = milliseconds(200);
    co_await scene.Sleep(seconds(5));
    // Only what was set here: its space may have been taken or given back meanwhile.
    store.options().sync_delay_mean = normal.sync_delay_mean;
    store.options().load_delay_mean = normal.load_delay_mean;
    disk.read_delay_mean = normal_disk.read_delay_mean;
    disk.write_delay_mean = normal_disk.write_delay_mean;
    disk.sync_delay_mean = normal_disk.sync_delay_mean;
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeSlow() {
  return std::make_unique<Slow>();
}

}  // namespace gabion
