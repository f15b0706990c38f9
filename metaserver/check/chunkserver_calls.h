#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/rpc/rpc_client.h"
#include "metaserver/check/chunk_lister.h"

namespace gabion {

/// ChunkLister over the network: a connection a server, made when first needed. On one loop.
class ChunkserverCalls final : public ChunkLister {
 public:
  /// `env` outlives it.
  ChunkserverCalls(Env& env, std::string host_id) : env_(env), host_id_(std::move(host_id)) {}

  Task<Result<proto::ListStoredChunksReply>> List(ServerId server, Endpoint endpoint,
                                                  proto::ListStoredChunksRequest request) override;
  Task<void> HangUp() override;

 private:
  Task<Result<std::shared_ptr<RpcClient>>> ClientOf(ServerId server, Endpoint endpoint);

  Env& env_;
  const std::string host_id_;
  std::map<ServerId, std::shared_ptr<RpcClient>> clients_;
};

}  // namespace gabion
