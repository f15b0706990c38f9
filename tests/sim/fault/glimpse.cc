#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;

/// What a client has begun to read reaches a chunkserver late, while that has changes that it cannot pass on; then the
/// server dies, and who made the changes is away until others have what it held: they are nowhere any more.
class Glimpse final : public Fault {
 public:
  std::string_view name() const override { return "glimpse"; }
  std::vector<std::string_view> rare_paths() const override { return {"client.other_copy"}; }

  Task<bool> Strike(FaultScene& scene) override {
    SimCluster& cluster = scene.cluster();
    FaultScene::Hold only = scene.TryHold("absence");  // others have to want what the writer held
    const std::string reader = scene.AnyOf(cluster.clients());
    const std::string writer = scene.AnyOf(cluster.clients());
    const std::string primary = scene.AnyChunkserver();
    if (reader == writer) co_return false;
    std::vector<FaultScene::Hold> holds;
    for (const std::string& what : {"wires of " + reader, "wires of " + writer, "wires of " + primary, primary}) {
      holds.push_back(scene.TryHold(what));
      if (!only || !holds.back()) co_return false;
    }
    SimNetwork& network = cluster.network();
    scene.Trace(reader + " reaches no chunkserver");
    for (const std::string& server : cluster.chunkservers()) network.Block(reader, server);
    co_await scene.clock().SleepFor(milliseconds(100 + scene.random().Below(600)));
    scene.Trace(primary + " reaches no other");
    for (const std::string& server : cluster.chunkservers()) {
      if (server != primary) network.Block(primary, server);
    }
    co_await scene.clock().SleepFor(milliseconds(100 + scene.random().Below(1500)));
    for (const std::string& server : cluster.chunkservers()) network.Unblock(reader, server);
    co_await scene.clock().SleepFor(milliseconds(20 + scene.random().Below(200)));
    scene.Trace(primary + " dies, " + writer + " is cut off from everybody");
    const FaultScene::Lack lack = scene.Silence(writer, "meta");
    for (const std::string& other : cluster.names()) {
      if (other != writer) network.Cut(writer, other);
    }
    cluster.Kill(primary);
    co_await scene.clock().SleepFor(milliseconds(11000 + scene.random().Below(3000)));
    for (const std::string& other : cluster.names()) {
      network.Mend(writer, other);
      network.Mend(primary, other);
    }
    co_await cluster.StartTask(primary);
    co_return true;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeGlimpse() {
  return std::make_unique<Glimpse>();
}

}  // namespace gabion
