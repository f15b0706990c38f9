#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A client is away from the metaserver for about as long as its session lives (10 s), so that others get what it held,
/// or nearly; meanwhile the metaserver may die and come back.
class Absence final : public Fault {
 public:
  std::string_view name() const override { return "absence"; }

  Task<bool> Strike(FaultScene& scene) override {
    FaultScene::Hold only = scene.TryHold("absence");  // others have to want what it holds
    const std::string client = scene.AnyOf(scene.cluster().clients());
    FaultScene::Hold wires = scene.TryHold("wires of " + client);
    if (!only || !wires) co_return false;
    SimNetwork& network = scene.cluster().network();
    const bool hears = scene.random().Chance(1, 3);
    const bool is_alone = scene.random().Chance(1, 3);
    scene.Trace(client + " is cut off from " + (is_alone ? "everybody" : "the metaserver"));
    const FaultScene::Lack lack = scene.Silence(client, "meta");
    network.Block(client, "meta");
    if (!hears) network.Block("meta", client);
    for (const std::string& server : scene.cluster().chunkservers()) {
      if (is_alone) network.Cut(client, server);
    }
    co_await scene.clock().SleepFor(milliseconds(6000 + scene.random().Below(8000)));
    if (scene.random().Chance(1, 2)) co_await RestartMetaserver(scene);
    for (const std::string& server : scene.cluster().chunkservers()) network.Mend(client, server);
    network.Mend(client, "meta");
    co_return true;
  }

 private:
  static Task<void> RestartMetaserver(FaultScene& scene) {
    FaultScene::Hold hold = scene.TryHold("meta");
    if (!hold) co_return;
    scene.cluster().Kill("meta");
    co_await scene.Sleep(seconds(2));
    co_await scene.cluster().StartTask("meta");
    co_await scene.Sleep(seconds(2));
  }
};

}  // namespace

std::unique_ptr<Fault> MakeAbsence() {
  return std::make_unique<Absence>();
}

}  // namespace gabion
