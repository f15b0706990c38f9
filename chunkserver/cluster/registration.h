#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "chunkserver/cluster/garbage.h"
#include "chunkserver/cluster/membership.h"
#include "chunkserver/pg/leftovers.h"
#include "chunkserver/pg/pg_duties.h"
#include "chunkserver/pg/scrubber.h"
#include "chunkserver/server.h"
#include "common/coro/task_group.h"
#include "common/rpc/backoff.h"
#include "common/rpc/cancellable_sleep.h"
#include "common/rpc/rpc_client.h"

namespace gabion {

/// Keeps this server known to the metaserver: registers, for as long as it takes, then sends heartbeats, which renew
/// the lease, bring newer maps and carry garbage to and fro. One loop.
class Registration {
 public:
  /// All outlive it. `options` as the server's. `hang_up_on_clients` closes the connections that clients have now:
  /// nothing that was sent on them begins any more when it returns.
  Registration(Env& env, ChunkServerOptions options, DataContext& context, Garbage& garbage, PgDuties& duties,
               Scrubber& scrubber, const Leftovers& leftovers, std::function<Task<void>()> hang_up_on_clients);

  /// `endpoint`: where this server is reached.
  void Start(Endpoint endpoint);
  Task<void> Stop();
  /// There is a newer map: does not wait for the next heartbeat's time. Any loop.
  void Hurry();

 private:
  Task<void> Run();
  Task<Result<void>> Register();
  Task<Result<void>> Heartbeat();
  Result<void> Adopt(const proto::ClusterMap& map);
  Task<void> RenewLease(TimePoint sent_at, std::uint32_t lease_ms);
  void ReportFenced(proto::HeartbeatRequest& request) const;
  void TakeFences(const proto::HeartbeatReply& reply);
  void Release(PgId pg, Epoch epoch);
  void StartAfresh();
  Task<void> SayGoodbye();
  void NoteFailure(const Error& error);
  void NoteSuccess();
  Task<void> CutSleepShort();

  Env& env_;
  const ChunkServerOptions options_;
  DataContext& context_;
  Membership& membership_;
  StoreSet& stores_;
  Garbage& garbage_;
  PgDuties& duties_;
  Scrubber& scrubber_;
  const Leftovers& leftovers_;
  const std::function<Task<void>()> hang_up_on_clients_;
  std::vector<SessionFences::Sender> fences_;  // that the metaserver waits for
  const std::uint64_t incarnation_;            // of this process, not 0
  RpcClient metaserver_;
  Endpoint endpoint_;
  bool registered_ = false;
  bool stopping_ = false;
  bool failing_ = false;
  bool starts_afresh_ = false;
  Backoff backoff_;
  TimePoint last_attempt_{INT64_MIN};
  CancellableSleep sleep_;
  TaskGroup tasks_;
};

}  // namespace gabion
