#include "tests/sim/fault/fault.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// An administrator evicts a client that is there, though it may not reach the chunkservers; meanwhile the metaserver
/// may die and come back.
class Eviction final : public Fault {
 public:
  std::string_view name() const override { return "eviction"; }

  Task<bool> Strike(FaultScene& scene) override {
    // For work that knows nothing of losses sessions live too long to be evicted within a run.
    if (!TakesLapses(scene.workload().name())) co_return false;
    FaultScene::Hold only = scene.TryHold("eviction");
    const std::string client = scene.AnyOf(scene.cluster().clients());
    FaultScene::Hold wires = scene.TryHold("wires of " + client);
    if (!only || !wires) co_return false;
    const std::optional<std::uint64_t> session = co_await SessionOf(scene, client);
    if (!session) co_return false;
    const bool is_stuck = scene.random().Chance(1, 2);
    scene.Trace("the session of " + client + " is evicted" +
                (is_stuck ? ", which does not reach the chunkservers" : ""));
    const FaultScene::Lack lack = scene.Standstill(client);
    for (const std::string& server : scene.cluster().chunkservers()) {
      if (is_stuck) scene.cluster().network().Cut(client, server);
    }
    co_await scene.Sleep(seconds(4));
    proto::ClientEvictRequest request;
    request.set_session_id(*session);
    (void)co_await scene.cluster().CallMeta<proto::ClientEvictReply>(proto::METHOD_CLIENT_EVICT, request);
    if (scene.random().Chance(1, 3)) co_await RestartMetaserver(scene);
    co_await scene.clock().SleepFor(milliseconds(scene.random().Below(16'000)));
    for (const std::string& server : scene.cluster().chunkservers()) scene.cluster().network().Mend(client, server);
    while (co_await IsBeingEvicted(scene, *session)) co_await scene.clock().SleepFor(milliseconds(500));
    co_return true;
  }

 private:
  static Task<std::optional<std::uint64_t>> SessionOf(FaultScene& scene, std::string client) {
    const auto listed = co_await scene.cluster().CallMeta<proto::ClientListReply>(proto::METHOD_CLIENT_LIST,
                                                                                  proto::ClientListRequest());
    if (!listed) co_return std::nullopt;
    for (const proto::ClientEntry& entry : listed->clients()) {
      if (entry.host() == client) co_return entry.session_id();
    }
    co_return std::nullopt;
  }

  static Task<bool> IsBeingEvicted(FaultScene& scene, std::uint64_t session) {
    proto::ClientShowRequest request;
    request.set_session_id(session);
    const auto shown = co_await scene.cluster().CallMeta<proto::ClientShowReply>(proto::METHOD_CLIENT_SHOW, request);
    if (!shown) co_return shown.error().code() != ErrorCode::kNotFound;
    co_return shown->client().state() == proto::CLIENT_EVICTING;
  }

  static Task<void> RestartMetaserver(FaultScene& scene) {
    FaultScene::Hold hold = scene.TryHold("meta");
    if (!hold) co_return;
    scene.cluster().Kill("meta");
    co_await scene.Sleep(seconds(2));
    co_await scene.cluster().StartTask("meta");
  }
};

}  // namespace

std::unique_ptr<Fault> MakeEviction() {
  return std::make_unique<Eviction>();
}

}  // namespace gabion
