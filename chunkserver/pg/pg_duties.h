#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "chunkserver/pg/join.h"
#include "chunkserver/pg/settle.h"
#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// What a server does as the primary of placement groups, without being asked (docs/replication.md): settles each new
/// epoch and after each failure, brings joiners in sync, and takes chunks off the unsettled sets. One loop, but for
/// Restart.
class PgDuties {
 public:
  /// Both outlive it.
  PgDuties(DataContext& context, Env& env) : context_(context), env_(env) {}

  void Start();
  Task<void> Stop();

  /// There is a new map.
  void MapChanged();
  /// A change failed in it (PgTable::Fail). Any loop.
  void Restart(PgId pg);

  /// What the metaserver is to know, for a heartbeat.
  void Report(proto::HeartbeatRequest& request);

 private:
  using JoinKey = std::pair<PgId, ServerId>;
  struct JoinState {
    Epoch epoch;
    bool running = false;
    bool caught_up = false;
    JoinProgress progress;
  };
  struct Trouble {
    Epoch epoch;
    TimePoint since;
    TimePoint last;
    std::uint64_t bytes_sent = 0;  // to a joiner, by then
    bool full = false;
    std::string why;
  };

  // settling
  Task<void> RestartHere(PgId pg);
  void Begin(const MembershipView::Group& group);
  Task<void> Run(PgId pg);
  Task<bool> SettleOnce(PgId pg, Membership::Serving serving);
  Result<Membership::Serving> ServingNow(PgId pg);
  void NoteTrouble(PgId pg, Epoch epoch, ServerId server, const Error& error);
  std::uint64_t BytesSentTo(const JoinKey& key) const;

  // joining
  void BeginJoins(const Membership::Serving& serving);
  Task<void> RunJoin(PgId pg, ServerId server);

  // unsettled chunks
  Task<void> ClearRounds();
  Task<void> ClearRound();
  std::vector<ChunkId> QuietChunks(PgId pg);
  Task<std::set<ServerId>> SyncMembers(const std::map<PgId, std::vector<ChunkId>>& quiet);
  Task<void> ClearGroup(PgId pg, std::vector<ChunkId> quiet, const std::set<ServerId>& synced);
  Task<Result<void>> ClearBatch(Membership::Serving serving, std::vector<ChunkId> chunks);

  DataContext& context_;
  Env& env_;
  bool stopping_ = false;
  std::set<PgId> running_;  // groups that are being settled
  std::map<JoinKey, JoinState> joins_;
  unsigned joins_running_ = 0;
  std::map<JoinKey, Trouble> troubles_;
  CancellableSleep clear_sleep_;
  TaskGroup tasks_;
};

}  // namespace gabion
