#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "common/base/ids.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// Which chunkservers are yet to confirm that they refuse what evicted sessions have sent (docs/leases.md). Whoever is
/// without a lease does nothing, and has let go of its clients' connections before it does anything again: it is not
/// asked. Pure; the owner locks.
class SessionFencer {
 public:
  /// Asks all servers that may have a lease. In the place of an earlier fence of the session.
  void Begin(SessionId session, std::uint32_t evictions, std::set<ServerId> alive);
  void End(SessionId session) { fences_.erase(session); }
  /// Whether nothing is waited for.
  bool IsDone(SessionId session) const;
  /// The servers that are waited for.
  std::set<ServerId> Awaited(SessionId session) const;

  /// The server has no lease any more.
  void Departed(ServerId server);
  void Confirmed(ServerId server, const google::protobuf::RepeatedPtrField<proto::SessionFence>& fenced);
  /// What the server is to be asked.
  void Ask(ServerId server, google::protobuf::RepeatedPtrField<proto::SessionFence>& fences) const;

 private:
  struct Fence {
    std::uint32_t evictions = 0;
    std::set<ServerId> awaited;
  };
  std::map<SessionId, Fence> fences_;  // of evictions that are under way: few
};

}  // namespace gabion
