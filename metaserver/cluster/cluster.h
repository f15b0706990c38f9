#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "common/env/env.h"
#include "common/env/kv_store.h"
#include "metaserver/cluster/placement.h"
#include "metaserver/cluster/placement_policy.h"
#include "metaserver/store/key_codec.h"
#include "metaserver/store/records.pb.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// Chunkservers, placement groups and the cluster-wide counters. All of it is in memory; what must survive is written
/// through. Any thread: a mutex is held for short stretches, never over a suspension, and is taken after a volume's.
class Cluster {
 public:
  /// Chunks whose deletion one heartbeat reply asks for.
  static constexpr std::size_t kMaxDeletesPerHeartbeat = 4096;
  static constexpr std::size_t kMaxServers = 4096;
  static constexpr int kMaxDisksPerServer = 256;

  struct Options {
    Duration server_lease;
    std::uint32_t pgs_per_policy = 64;
  };

  Cluster(KvStore& kv, Options options) : kv_(kv), options_(options) {}

  /// Reads the store; makes a new cluster of an empty one. Before everything else. Errors: kCorrupt, kVersionMismatch,
  /// kIo.
  Task<Result<void>> Load(Env& env);

  const std::string& cluster_id() const { return cluster_id_; }

  /// The first of `count` new ids. They may leave this process once they are durable (MakeDurable). Errors: kIo.
  Result<std::uint64_t> TakeIds(Counter counter, std::uint64_t count);
  /// Returns when everything written so far survives power loss. Awaited before anybody else learns of what must never
  /// be taken back: ids, membership, chunks to delete. Errors: kUnavailable.
  Task<Result<void>> MakeDurable();
  /// Volumes with this many replicas exist: placement groups for them are made as soon as there are enough servers.
  void AddPolicy(std::uint32_t replicas, Random& random);

  /// Errors: kInvalidArgument (malformed, or a server of another cluster), kOverloaded, kIo.
  Task<Result<proto::RegisterServerReply>> Register(proto::RegisterServerRequest request, Env& env);
  /// Errors: kNotFound (register first), kInvalidArgument, kIo.
  Task<Result<proto::HeartbeatReply>> Heartbeat(proto::HeartbeatRequest request, Env& env);
  /// Notices servers whose lease has run out.
  void ExpireLeases(TimePoint now);

  proto::ClusterMap Map() const;
  /// Nothing if `known_version` is the newest.
  std::optional<proto::ClusterMap> MapIfNewer(std::uint64_t known_version) const;
  std::shared_ptr<const Placement> placement() const;

  /// Garbage records made by ops, and not yet reported as deleted.
  void AddGarbageCount(std::uint64_t count);
  std::uint64_t garbage_count() const;

  struct Health {
    std::uint32_t groups = 0;
    std::uint32_t healthy = 0;   // every wanted member is in sync and alive
    std::uint32_t writable = 0;  // all in-sync members are alive
  };
  Health GroupHealth() const;

 private:
  struct Server {
    ServerId id;
    records::Server record;
    bool alive = false;
    TimePoint lease_until;
    bool heard = false;  // since this program's start
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0;
    std::uint64_t chunks = 0;
    std::uint32_t disks_online = 0;
    std::uint32_t disks_failed = 0;
  };

  // With mutex_ held.
  Result<CommitSeq> Write(WriteBatch batch);
  Result<std::uint64_t> TakeIdsLocked(Counter counter, std::uint64_t count, WriteBatch& batch);
  void RaiseMapVersion(WriteBatch& batch);
  Result<Server*> FindOrAddServer(const proto::RegisterServerRequest& request, WriteBatch& batch);
  /// Whether something changed that the map's readers care about.
  bool TakeReports(Server& server, const google::protobuf::RepeatedPtrField<proto::DiskReport>& disks);
  bool MakeGroups(std::uint32_t replicas, Random& random, WriteBatch& batch);
  void RebuildPlacement();
  proto::ClusterMap MapLocked() const;
  proto::ServerEntry EntryOf(const Server& server) const;
  bool IsAlive(std::uint32_t server_id) const;
  std::uint32_t WeightOf(const records::Group& group) const;

  Task<Result<void>> RemoveDeleted(ServerId server, google::protobuf::RepeatedField<std::uint64_t> chunks);
  Task<Result<std::vector<std::uint64_t>>> ListGarbage(ServerId server);

  KvStore& kv_;
  const Options options_;
  std::string cluster_id_;  // constant after Load

  mutable std::mutex mutex_;
  std::map<Counter, std::uint64_t> counters_;
  std::map<ServerId, Server> servers_;
  std::map<std::string, ServerId> servers_by_uuid_;
  std::map<PgId, records::Group> groups_;
  std::set<std::uint32_t> policies_;
  std::shared_ptr<const Placement> placement_ = std::make_shared<Placement>();
  std::uint64_t garbage_count_ = 0;
};

}  // namespace gabion
