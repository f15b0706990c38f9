#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chunkserver/cluster/membership.h"
#include "common/coro/task_group.h"
#include "common/env/env.h"
#include "common/rpc/rpc_client.h"

namespace gabion {

/// Connections to the other chunkservers: one a server and loop, made when first needed.
class Peers {
 public:
  /// All outlive it.
  Peers(std::vector<Env*> loops, std::string host_id, const Membership& membership);

  /// Calls `server` from the loop of `env`, on which it must run. Errors: as RpcClient::Call; kUnavailable if by
  /// the map there is no such server or it is away, or this one is stopping.
  Task<Result<RpcReply>> Call(Env& env, ServerId server, proto::Method method, std::string header, Payload payload,
                              TimePoint deadline);
  /// Ends the calls to servers that the metaserver calls dead, so that nobody waits for their answers until the
  /// deadline.
  void HangUpOnDead(const MembershipView& view);
  /// Ends all calls.
  Task<void> Stop();

 private:
  struct Loop {
    Env* env = nullptr;
    bool stopping = false;
    std::map<ServerId, std::shared_ptr<RpcClient>> clients;
  };

  Result<std::shared_ptr<RpcClient>> ClientOf(Loop& loop, ServerId server);
  static Task<void> Retire(std::shared_ptr<RpcClient> client);
  static Task<void> StopLoop(Loop& loop);
  Task<void> HangUp(Loop& loop, std::vector<ServerId> dead);

  const std::string host_id_;
  const Membership& membership_;
  std::vector<Loop> loops_;  // each belongs to its loop
  TaskGroup retiring_;
};

}  // namespace gabion
