#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A client and a chunkserver are away from the metaserver until others have what the client held, which that server
/// does not hear of; the client reaches it again before it knows itself.
class Deaf final : public Fault {
 public:
  std::string_view name() const override { return "deaf"; }

  Task<bool> Strike(FaultScene& scene) override {
    FaultScene::Hold only = scene.TryHold("absence");  // others have to want what it holds
    const std::string client = scene.AnyOf(scene.cluster().clients());
    const std::string server = scene.AnyChunkserver();
    FaultScene::Hold clients_wires = scene.TryHold("wires of " + client);
    FaultScene::Hold servers_wires = scene.TryHold("wires of " + server);
    if (!only || !clients_wires || !servers_wires) co_return false;
    SimNetwork& network = scene.cluster().network();
    scene.Trace(client + " and " + server + " are cut off from the metaserver");
    const FaultScene::Lack lack = scene.Silence(client, "meta");
    network.Cut(client, "meta");
    network.Cut(server, "meta");
    network.Cut(client, server);
    co_await scene.clock().SleepFor(milliseconds(9000 + scene.random().Below(6000)));
    network.Mend(server, "meta");
    co_await scene.clock().SleepFor(milliseconds(scene.random().Below(6000)));
    network.Mend(client, server);
    co_await scene.clock().SleepFor(milliseconds(scene.random().Below(3000)));
    network.Mend(client, "meta");
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeDeaf() {
  return std::make_unique<Deaf>();
}

}  // namespace gabion
