#include "metaserver/check/chunkserver_calls.h"

#include <utility>

namespace gabion {

namespace {

constexpr Duration kListTimeout = std::chrono::seconds(10);

}  // namespace

Task<Result<std::shared_ptr<RpcClient>>> ChunkserverCalls::ClientOf(ServerId server, Endpoint endpoint) {
  std::shared_ptr<RpcClient> old = clients_[server];
  if (old != nullptr && old->endpoint() == endpoint) co_return old;
  Identity identity{proto::ROLE_METASERVER, host_id_, 0};
  auto made = std::make_shared<RpcClient>(env_, std::move(endpoint), std::move(identity));
  clients_[server] = made;
  if (old != nullptr) co_await old->Stop();
  co_return made;
}

Task<Result<proto::ListStoredChunksReply>> ChunkserverCalls::List(ServerId server, Endpoint endpoint,
                                                                  proto::ListStoredChunksRequest request) {
  Result<std::shared_ptr<RpcClient>> found = co_await ClientOf(server, std::move(endpoint));
  CO_TRY_ASSIGN(const std::shared_ptr<RpcClient> client, std::move(found));
  Payload none;
  const TimePoint deadline = env_.clock.Now() + kListTimeout;
  Result<TypedReply<proto::ListStoredChunksReply>> reply = co_await CallTyped<proto::ListStoredChunksReply>(
      *client, proto::METHOD_LIST_STORED_CHUNKS, request, std::move(none), deadline);
  if (!reply) co_return reply.error();
  co_return std::move(reply->message);
}

Task<void> ChunkserverCalls::HangUp() {
  std::map<ServerId, std::shared_ptr<RpcClient>> clients;
  clients.swap(clients_);
  for (auto& [server, client] : clients) co_await client->Stop();
}

}  // namespace gabion
