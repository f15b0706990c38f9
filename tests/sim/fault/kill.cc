#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::seconds;

class Kill final : public Fault {
 public:
  std::string_view name() const override { return "kill"; }

  Task<bool> Strike(FaultScene& scene) override {
    std::vector<std::string> names;
    if (scene.random().Chance(1, 10)) {
      names = scene.cluster().chunkservers();
      names.emplace_back("meta");
    } else {
      names.push_back(scene.random().Chance(1, 3) ? "meta" : scene.AnyChunkserver());
    }
    const bool gently = names.size() == 1 && scene.random().Chance(1, 3);
    std::vector<FaultScene::Hold> holds;
    for (const std::string& name : names) {
      holds.push_back(scene.TryHold(name));
      if (!holds.back()) co_return false;
    }
    for (const std::string& name : names) {
      if (gently) {
        scene.Trace(name + " is stopped");
        co_await scene.cluster().StopGently(name);
      } else {
        scene.cluster().Kill(name);
      }
    }
    // All of them come back, one after the other.
    for (const std::string& name : names) {
      co_await scene.Sleep(seconds(8));
      co_await scene.cluster().StartTask(name);
    }
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeKill() {
  return std::make_unique<Kill>();
}

}  // namespace gabion
