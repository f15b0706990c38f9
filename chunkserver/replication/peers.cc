#include "chunkserver/replication/peers.h"

#include <fmt/format.h>

#include <asio/co_spawn.hpp>

#include "common/base/check.h"

namespace gabion {

Peers::Peers(std::vector<Env*> loops, std::string host_id, const Membership& membership)
    : host_id_(std::move(host_id)), membership_(membership), loops_(loops.size()) {
  for (std::size_t i = 0; i < loops.size(); ++i) {
    CHECK(loops[i]->loop_index == i);
    loops_[i].env = loops[i];
  }
}

Result<std::shared_ptr<RpcClient>> Peers::ClientOf(Loop& loop, ServerId server) {
  if (loop.stopping) return Error(ErrorCode::kUnavailable, "this chunkserver is stopping");
  MembershipViewPtr view = membership_.view();
  const Endpoint* endpoint = view->FindServer(server);
  if (endpoint == nullptr) {
    return Error(ErrorCode::kUnavailable, fmt::format("the cluster map has no chunkserver {}", server.value()));
  }
  if (view->IsDead(server)) {
    return Error(ErrorCode::kUnavailable, fmt::format("chunkserver {} is away", server.value()));
  }
  std::shared_ptr<RpcClient>& client = loop.clients[server];
  if (client != nullptr && client->endpoint() != *endpoint) {
    retiring_.Spawn(loop.env->executor, Retire(std::move(client)));
    client = nullptr;
  }
  if (client == nullptr) {
    Identity identity{proto::ROLE_CHUNKSERVER, host_id_, membership_.self().value()};
    client = std::make_shared<RpcClient>(*loop.env, *endpoint, std::move(identity));
  }
  return client;
}

Task<void> Peers::Retire(std::shared_ptr<RpcClient> client) {
  co_await client->Stop();
}

Task<Result<RpcReply>> Peers::Call(Env& env, ServerId server, proto::Method method, std::string header, Payload payload,
                                   TimePoint deadline) {
  Result<std::shared_ptr<RpcClient>> client = ClientOf(loops_[env.loop_index], server);
  if (!client) co_return client.error();
  co_return co_await (*client)->Call(method, std::move(header), std::move(payload), deadline);
}

void Peers::HangUpOnDead(const MembershipView& view) {
  std::vector<ServerId> dead = view.dead_servers();
  if (dead.empty()) return;
  for (Loop& loop : loops_) retiring_.Spawn(loop.env->executor, HangUp(loop, dead));
}

Task<void> Peers::HangUp(Loop& loop, std::vector<ServerId> dead) {
  for (ServerId server : dead) {
    auto found = loop.clients.find(server);
    if (found == loop.clients.end()) continue;
    std::shared_ptr<RpcClient> client = std::move(found->second);
    loop.clients.erase(found);
    co_await client->Stop();
  }
}

Task<void> Peers::StopLoop(Loop& loop) {
  loop.stopping = true;
  // Ending a call resumes its caller, which asks for no client any more but may run anything else.
  std::map<ServerId, std::shared_ptr<RpcClient>> clients;
  clients.swap(loop.clients);
  for (auto& [server, client] : clients) co_await client->Stop();
}

Task<void> Peers::Stop() {
  for (Loop& loop : loops_) {
    Task<void> stop = StopLoop(loop);
    co_await asio::co_spawn(loop.env->executor, std::move(stop), asio::use_awaitable);
  }
  co_await retiring_.Join();
}

}  // namespace gabion
