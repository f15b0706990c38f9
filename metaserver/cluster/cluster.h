#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "common/env/kv_store.h"
#include "metaserver/cluster/event_log.h"
#include "metaserver/cluster/membership_policy.h"
#include "metaserver/cluster/placement.h"
#include "metaserver/cluster/placement_policy.h"
#include "metaserver/cluster/session_fencer.h"
#include "metaserver/store/key_codec.h"
#include "metaserver/store/records.pb.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// Chunkservers, placement groups and the cluster-wide counters. All of it is in memory; what must survive is written
/// through. Any thread: a mutex is held for short stretches, never over a suspension, and is taken after a volume's.
///
/// What is in memory may be ahead of what survives a power loss. Whatever tells others of it - a map, a lease, the
/// request to release a group - is made under the mutex and then waits for MakeDurable: nobody learns of an epoch, or
/// acts on one, that could be taken back.
class Cluster {
 public:
  /// Chunks whose deletion one heartbeat reply asks for.
  static constexpr std::size_t kMaxDeletesPerHeartbeat = 4096;
  static constexpr std::size_t kMaxServers = 4096;
  static constexpr int kMaxDisksPerServer = 256;
  static constexpr Duration kMaxMaintenance = std::chrono::hours(7 * 24);

  struct Options {
    Duration server_lease;
    Duration down_out;
    std::uint32_t pgs_per_policy = 64;
    std::string boot_id = {};  // of this machine: what was not synced is lost with another; empty: never
  };

  Cluster(KvStore& kv, Options options) : kv_(kv), options_(options) {}

  /// Reads the store; makes a new cluster of an empty one. Before everything else. Errors: kCorrupt, kVersionMismatch,
  /// kIo.
  Task<Result<void>> Load(Env& env);

  const std::string& cluster_id() const { return cluster_id_; }
  /// How often the store's machine may have lost what was not synced.
  std::uint64_t power_losses() const { return identity_.power_losses(); }
  /// Nothing is applied any more: says in the store that it has lost nothing. Errors: the store's.
  Task<Result<void>> EndCleanly();

  /// The first of `count` new ids. They may leave this process once they are durable (MakeDurable). Errors: kIo.
  Result<std::uint64_t> TakeIds(Counter counter, std::uint64_t count);
  /// Returns when everything written so far survives power loss. Awaited before anybody else learns of what must never
  /// be taken back: ids, membership, chunks to delete. Errors: kUnavailable.
  Task<Result<void>> MakeDurable();
  /// Volumes with this many replicas exist: placement groups for them are made as soon as there are enough servers.
  void AddPolicy(std::uint32_t replicas, Random& random);

  /// Errors: kInvalidArgument (malformed, or a server of another cluster), kOverloaded, kIo, kUnavailable.
  Task<Result<proto::RegisterServerReply>> Register(proto::RegisterServerRequest request, Env& env);
  /// Errors: kNotFound (register first), kInvalidArgument, kIo, kUnavailable.
  Task<Result<proto::HeartbeatReply>> Heartbeat(proto::HeartbeatRequest request, Env& env);
  /// Notices servers whose lease has run out, and moves the groups on: to be called many times in a lease. Errors: kIo,
  /// kUnavailable.
  Task<Result<void>> ExpireLeases(Env& env);
  /// This program stood still for so long: that it heard nothing in that time says nothing about the servers.
  void ExtendLeases(Duration late);
  /// Returns when no chunkserver does anything any more that the session's client sent before it was told of this many
  /// evictions: each has confirmed it, or is without a lease. One call a session at a time. Errors: kUnavailable: one
  /// has a lease and does not confirm, or this server stops.
  Task<Result<void>> FenceSession(SessionId session, std::uint32_t evictions, Env& env);
  /// This server stops: nobody waits for chunkservers any more.
  void Close();

  /// The newest map. Errors: kUnavailable.
  Task<Result<proto::ClusterMap>> Map();
  /// Nothing if `known_version` is the newest. Errors: kUnavailable.
  Task<Result<std::optional<proto::ClusterMap>>> MapIfNewer(std::uint64_t known_version);
  std::shared_ptr<const Placement> placement() const;

  /// A group as administrators see it.
  struct GroupView {
    PgId id;
    PlacementGroup group;
    bool writable = false;
    std::set<ServerId> alive;                        // of its members' servers
    std::map<ServerId, proto::PgProgress> progress;  // of joiners, as the primary said last
  };
  /// All groups. Errors: kUnavailable.
  Task<Result<std::vector<GroupView>>> ViewGroups();

  /// Groups that move so that servers are used alike.
  struct BalanceView {
    bool under_way = false;
    std::uint32_t moving = 0;      // groups, now
    std::uint64_t bytes_left = 0;  // of these, as far as is known
  };
  BalanceView ViewBalance(TimePoint now) const;

  /// Has other servers take the place of this one in all its groups; or, to undo it, no longer. Errors: kNotFound, kIo,
  /// kUnavailable.
  Task<Result<proto::ServerEntry>> Drain(ServerId id, bool undo, Env& env);
  /// The server may be away for `time` without its copies being made anew elsewhere, and leads no group meanwhile where
  /// another member can. Begins anew where it has begun. Errors: kNotFound; kInvalidArgument: not 1 s to
  /// kMaxMaintenance; kBusy, unless `force`: some group has no other copy within reach; kIo, kUnavailable.
  Task<Result<proto::ServerEntry>> BeginMaintenance(ServerId id, Duration time, bool force, Env& env);
  /// Fine if it is in none. Errors: kNotFound, kIo, kUnavailable.
  Task<Result<proto::ServerEntry>> EndMaintenance(ServerId id, Env& env);
  /// Has a server, or all of them (id 0), scrub what it leads, now or as soon as it can; those that were asked. A wish
  /// that is open already stays one. Errors: kNotFound, kIo, kUnavailable.
  Task<Result<std::vector<proto::ServerEntry>>> StartScrub(ServerId id, Env& env);
  /// Adds to a map's entries what administrators see of scrub: ServerEntry.scrub as the server reported it last, but
  /// finished_round is the last wish that is known to be done here, and an open one is a pass that runs, of 0 bytes
  /// until the server has begun.
  void AddScrub(google::protobuf::RepeatedPtrField<proto::ServerEntry>& entries) const;
  /// Forgets a server that is gone. Errors: kNotFound; kBusy: it is alive, or a member of groups; kIo, kUnavailable.
  Task<Result<void>> Remove(ServerId id, Env& env);

  /// Has these servers, and all members of the group, delete a chunk that belongs to no file. Errors: kIo,
  /// kUnavailable.
  Task<Result<void>> AddGarbage(ChunkId chunk, PgId pg, std::set<ServerId> servers);
  /// Garbage records made by ops, and not yet reported as deleted.
  void AddGarbageCount(std::uint64_t count);
  std::uint64_t garbage_count() const;

  /// Keeps for administrators what was done to the cluster; as EventAbout.
  void AddEvent(std::string kind, std::string text, Env& env, bool warning = false);
  std::vector<EventLog::Numbered> LastEvents(std::size_t count) const;

  struct Health {
    std::uint32_t groups = 0;
    std::uint32_t healthy = 0;   // every wanted member is in sync and alive
    std::uint32_t writable = 0;  // enough members in sync, and the primary, are alive
  };
  Health GroupHealth() const;

 private:
  struct Server {
    ServerId id;
    records::Server record;
    bool alive = false;
    TimePoint lease_until;
    bool heard = false;       // since this program's start
    bool tidy = false;        // as it said last, and since then no group has left it
    bool lost_store = false;  // as it said last: it has no lease, and serves nothing
    TimePoint missed_since;   // end of its last maintenance
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0;
    std::uint64_t chunks = 0;
    std::uint32_t disks_online = 0;
    std::uint32_t disks_failed = 0;
    std::optional<proto::ScrubReport> scrub;  // as it said last; none: nothing yet
    std::uint64_t repaired_for_wish = 0;      // since an administrator wanted a scrub, as far as this program saw

    ServerSpace space() const { return {heard, capacity_bytes, used_bytes}; }
  };
  Task<Result<void>> StoreIdentity();
  Task<Result<void>> LoadIdentity(Env& env);
  Task<Result<void>> LoadCounters();
  Task<Result<void>> LoadServers(TimePoint now);
  Task<Result<void>> LoadGroups(TimePoint now);
  Task<Result<void>> CountGarbage();
  /// Returns when a map of this version survives power loss.
  Task<Result<void>> MakeMapDurable(std::uint64_t version);

  // With mutex_ held.
  Result<CommitSeq> Write(WriteBatch batch);
  Result<std::uint64_t> TakeIdsLocked(Counter counter, std::uint64_t count, WriteBatch& batch);
  void RaiseMapVersion(WriteBatch& batch);
  void Note(records::Event event, Env& env, WriteBatch& batch);
  Result<Server*> FindOrAddServer(const proto::RegisterServerRequest& request, WriteBatch& batch);
  /// From now on it has a lease. Whether it was away.
  bool Revive(Server& server, Env& env, WriteBatch& batch);
  void NoteRegistration(const Server& server, const proto::RegisterServerRequest& request, Env& env, WriteBatch& batch);
  /// Whether something changed that the map's readers care about.
  bool TakeReports(Server& server, const google::protobuf::RepeatedPtrField<proto::DiskReport>& disks);
  bool MakeGroups(std::uint32_t replicas, Random& random, WriteBatch& batch);
  void RebuildPlacement();
  proto::ClusterMap MapLocked() const;
  proto::ServerEntry EntryOf(const Server& server) const;
  static FailureDomains DomainsOf(const records::Server& record);
  bool IsAlive(ServerId id) const;
  bool IsWritable(const PlacementGroup& group) const;
  std::uint32_t WeightOf(const PlacementGroup& group) const;

  // cluster_groups.cc, with mutex_ held: what servers say of groups, and what follows.
  ClusterFacts FactsAt(TimePoint now) const;
  /// Moves the groups on; whether any changed.
  bool AdvanceGroups(Env& env, WriteBatch& batch);
  void NoteGroupChanges(const Groups& next, Env& env, WriteBatch& batch);
  /// Whether a group may change at once.
  bool TakeGroupReports(ServerId from, const proto::HeartbeatRequest& request, Env& env, WriteBatch& batch);
  void TakeFailing(ServerId from, const proto::HeartbeatRequest& request, Env& env, WriteBatch& batch);
  void TakeProgress(ServerId from, const proto::HeartbeatRequest& request);
  /// The group, if this is its epoch.
  const PlacementGroup* FindGroup(std::uint32_t pg_id, std::uint32_t epoch) const;
  void AskForReleases(ServerId server, TimePoint now, proto::HeartbeatReply& reply);
  std::uint32_t CountDegraded() const;
  std::uint32_t CountGroupsOf(ServerId server) const;

  // cluster_fences.cc
  bool IsFenced(SessionId session) const;

  // cluster_departure.cc, with mutex_ held
  /// The server has no lease any more.
  void Depart(Server& server, records::Event event, Env& env, WriteBatch& batch);
  /// A server that was stopped, or that has lost a store, has no lease from now on; whether it had one.
  bool TakeDeparture(Server& server, bool lost_store, Env& env, WriteBatch& batch);
  /// Whether a server that has lost a store may begin afresh. Then no group counts on what it had.
  bool ForgetLostStore(const Server& server, Env& env, WriteBatch& batch);

  // cluster_balance.cc, with mutex_ held
  /// Whether it is time for a look at how servers are used, and what there is to know for it.
  void PrepareBalance(ClusterFacts& facts);
  void NoteMoves(const Groups& next, const ClusterFacts& facts, Env& env, WriteBatch& batch);
  /// Whether there was something to note.
  bool NoteBalanced(const ClusterFacts& facts, Env& env, WriteBatch& batch);

  // cluster_admin.cc, with mutex_ held
  Result<Server*> FindServer(ServerId id);
  Result<void> CheckRemoval(ServerId id);
  /// An estimate of what has to be copied before all groups have left the server.
  std::uint64_t CountBytesToDrain(const Server& server) const;
  proto::ServerEntry FullEntryOf(const Server& server) const;
  /// Writes a server that was changed, with `batch` and what follows for the groups; its entry then.
  Result<proto::ServerEntry> WriteServer(const Server& server, Env& env, WriteBatch batch);

  // cluster_maintenance.cc, with mutex_ held
  Result<void> CheckMaintenance(const Server& server, TimePoint now) const;
  void EndMaintenanceOf(Server& server, std::string why, Env& env, WriteBatch& batch);
  /// Whether any has ended.
  bool EndDueMaintenance(Env& env, WriteBatch& batch);

  // cluster_scrub.cc, with mutex_ held
  void WantScrub(Server& server, Env& env, WriteBatch& batch);
  static void AddScrubTo(const Server& server, proto::ServerEntry& entry);
  /// 0: no wish is open.
  static std::uint64_t OpenScrubRound(const Server& server);
  void TakeScrubReport(Server& server, const proto::ScrubReport& report, Env& env, WriteBatch& batch);

  // cluster_garbage.cc
  /// Members of the chunk's group that were made so after its epoch in `garbage`, which becomes the present one.
  std::vector<ServerId> TakeLaterMembers(records::Garbage& garbage) const;
  Task<Result<void>> RemoveDeleted(ServerId server, google::protobuf::RepeatedField<std::uint64_t> chunks);
  Task<Result<std::vector<std::uint64_t>>> ListGarbage(ServerId server);

  KvStore& kv_;
  const Options options_;
  records::Cluster identity_;
  std::string cluster_id_;  // constant after Load

  mutable std::mutex mutex_;
  std::map<Counter, std::uint64_t> counters_;
  std::map<ServerId, Server> servers_;
  std::map<std::string, ServerId> servers_by_uuid_;
  Groups groups_;
  Reports reports_;                                                 // none of groups of which nothing was said
  std::map<PgId, std::map<ServerId, proto::PgProgress>> progress_;  // of joiners, as their primaries said last
  std::map<PgId, std::uint64_t> group_bytes_;                       // of those that were copied since the start
  bool balancing_ = false;                                          // groups have moved, and more may have to
  TimePoint next_balance_;
  EventLog events_;
  std::set<std::uint32_t> policies_;
  SessionFencer fencer_;
  bool closed_ = false;
  std::shared_ptr<const Placement> placement_ = std::make_shared<Placement>();
  std::uint64_t garbage_count_ = 0;
  std::uint64_t durable_map_version_ = 0;  // a crash does not take this version of the map back
  std::optional<Error> write_failure_;     // memory is ahead of the store for good
};

}  // namespace gabion
