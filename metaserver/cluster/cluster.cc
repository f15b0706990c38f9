#include "metaserver/cluster/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/log.h"
#include "metaserver/store/record_codec.h"
#include "metaserver/store/scan_all.h"

namespace gabion {

namespace {

/// The layout of the whole store, raised when keys change their meaning.
constexpr std::uint32_t kStoreFormat = 1;

constexpr Counter kAllCounters[] = {Counter::kChunkId,  Counter::kSessionId, Counter::kServerId,
                                    Counter::kVolumeId, Counter::kPgId,      Counter::kMapVersion};

std::string NewClusterId(Random& random) {
  return fmt::format("{:016x}{:016x}", random.Next(), random.Next());
}

Task<Result<std::optional<std::string>>> GetLoaded(KvStore& kv, std::string key) {
  constexpr int kMaxLoads = 8;
  for (int i = 0; i < kMaxLoads; ++i) {
    Result<std::optional<std::string>> value = kv.Get(key);
    if (value || value.error().code() != ErrorCode::kWouldBlock) co_return value;
    Result<void> loaded = co_await kv.Load(key);
    CO_TRY(loaded);
  }
  co_return Error(ErrorCode::kIo, "the metadata store does not keep in memory what it loaded");
}

}  // namespace

Task<Result<void>> Cluster::Load(Env& env) {
  std::string cluster_key = ClusterKey();
  Result<std::optional<std::string>> stored = co_await GetLoaded(kv_, cluster_key);
  CO_TRY_ASSIGN(std::optional<std::string> bytes, std::move(stored));
  if (!bytes) {
    records::Cluster record;
    record.set_cluster_id(NewClusterId(env.random));
    record.set_created_ns(env.clock.WallNowNs());
    record.set_format(kStoreFormat);
    WriteBatch batch;
    batch.Put(cluster_key, EncodeRecord(record));
    CO_TRY_ASSIGN(CommitSeq seq, kv_.Apply(batch));
    Result<void> applied = co_await kv_.WaitApplied(seq);
    CO_TRY(applied);
    Result<void> durable = co_await MakeDurable();
    CO_TRY(durable);
    cluster_id_ = record.cluster_id();
    LogInfo("made a new cluster, {}", cluster_id_);
  } else {
    CO_TRY_ASSIGN(records::Cluster record, DecodeRecord<records::Cluster>(cluster_key, *bytes));
    if (record.format() != kStoreFormat) {
      co_return Error(
          ErrorCode::kVersionMismatch,
          fmt::format("the metadata store has format {}, this program reads format {}: start the release that wrote it",
                      record.format(), kStoreFormat));
    }
    cluster_id_ = record.cluster_id();
  }

  for (Counter counter : kAllCounters) {
    std::string key = CounterKey(counter);
    Result<std::optional<std::string>> value = co_await GetLoaded(kv_, key);
    CO_TRY_ASSIGN(std::optional<std::string> counter_bytes, std::move(value));
    std::uint64_t next = 1;
    if (counter_bytes) {
      CO_TRY_ASSIGN(records::Counter record, DecodeRecord<records::Counter>(key, *counter_bytes));
      next = record.next();
    }
    const std::lock_guard lock(mutex_);
    counters_[counter] = next;
  }

  // A server that was there before the restart gets one lease's time to be heard before it counts as away.
  const TimePoint lease_until = env.clock.Now() + options_.server_lease;
  RecordVisitor take_server = [&](std::string_view key, std::string_view value) -> Result<void> {
    Server server;
    TRY_ASSIGN(server.id, DecodeServerKey(key));
    TRY(DecodeRecordInto(key, value, server.record));
    server.alive = true;
    server.lease_until = lease_until;
    const std::lock_guard lock(mutex_);
    servers_by_uuid_[server.record.uuid()] = server.id;
    servers_.emplace(server.id, std::move(server));
    return {};
  };
  Result<void> scanned = co_await ScanAll(kv_, TablePrefix(Table::kServer), take_server);
  CO_TRY(scanned);
  RecordVisitor take_group = [&](std::string_view key, std::string_view value) -> Result<void> {
    TRY_ASSIGN(PgId id, DecodeGroupKey(key));
    TRY_ASSIGN(records::Group group, DecodeRecord<records::Group>(key, value));
    const std::lock_guard lock(mutex_);
    groups_.emplace(id, std::move(group));
    return {};
  };
  scanned = co_await ScanAll(kv_, TablePrefix(Table::kGroup), take_group);
  CO_TRY(scanned);
  RecordVisitor count_garbage = [&](std::string_view, std::string_view) -> Result<void> {
    const std::lock_guard lock(mutex_);
    ++garbage_count_;
    return {};
  };
  scanned = co_await ScanAll(kv_, TablePrefix(Table::kGarbage), count_garbage);
  CO_TRY(scanned);

  const std::lock_guard lock(mutex_);
  RebuildPlacement();
  co_return Result<void>();
}

Result<CommitSeq> Cluster::Write(WriteBatch batch) {
  if (batch.empty()) return CommitSeq();
  Result<CommitSeq> seq = kv_.Apply(batch);
  if (!seq) return seq.error().WithContext("writing cluster state");
  return seq;
}

Result<std::uint64_t> Cluster::TakeIdsLocked(Counter counter, std::uint64_t count, WriteBatch& batch) {
  const std::uint64_t first = counters_[counter];
  if (count > UINT64_MAX - first) return Error(ErrorCode::kNoSpace, "a counter of ids has run out");
  records::Counter record;
  record.set_next(first + count);
  batch.Put(CounterKey(counter), EncodeRecord(record));
  counters_[counter] = record.next();
  return first;
}

Result<std::uint64_t> Cluster::TakeIds(Counter counter, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  WriteBatch batch;
  TRY_ASSIGN(const std::uint64_t first, TakeIdsLocked(counter, count, batch));
  // Written before anybody gets the ids: a crash may skip some, never give them twice.
  TRY_ASSIGN([[maybe_unused]] CommitSeq seq, Write(std::move(batch)));
  return first;
}

Task<Result<void>> Cluster::MakeDurable() {
  Result<CommitSeq> durable = co_await kv_.Sync();
  if (!durable) co_return Error(ErrorCode::kUnavailable, "the metadata store: " + durable.error().message());
  co_return Result<void>();
}

void Cluster::RaiseMapVersion(WriteBatch& batch) {
  Result<std::uint64_t> raised = TakeIdsLocked(Counter::kMapVersion, 1, batch);
  CHECK(raised.has_value());
}

bool Cluster::MakeGroups(std::uint32_t replicas, Random& random, WriteBatch& batch) {
  std::vector<PlacementServer> servers;
  for (const auto& [id, server] : servers_) {
    if (server.alive) servers.push_back({id, server.record.host()});
  }
  std::vector<GroupMembers> existing;
  for (const auto& [id, group] : groups_) {
    if (group.replicas() != replicas) continue;
    GroupMembers members{{}, ServerId(group.primary())};
    for (std::uint32_t member : group.members()) members.members.emplace_back(member);
    existing.push_back(std::move(members));
  }
  const std::vector<GroupMembers> planned = PlanGroups(servers, existing, replicas, options_.pgs_per_policy, random);
  if (planned.empty()) return false;
  Result<std::uint64_t> first = TakeIdsLocked(Counter::kPgId, planned.size(), batch);
  CHECK(first.has_value());
  auto number = static_cast<std::uint32_t>(*first);
  for (const GroupMembers& members : planned) {
    records::Group group;
    group.set_epoch(1);
    group.set_replicas(replicas);
    for (ServerId member : members.members) {
      group.add_members(member.value());
      group.add_in_sync(member.value());
    }
    group.set_primary(members.primary.value());
    const PgId id(number++);
    batch.Put(GroupKey(id), EncodeRecord(group));
    groups_.emplace(id, std::move(group));
  }
  LogInfo("made {} placement groups with {} replicas over {} chunkservers", planned.size(), replicas, servers.size());
  return true;
}

void Cluster::AddPolicy(std::uint32_t replicas, Random& random) {
  const std::lock_guard lock(mutex_);
  policies_.insert(replicas);
  WriteBatch batch;
  if (!MakeGroups(replicas, random, batch)) return;
  RaiseMapVersion(batch);
  if (Result<CommitSeq> written = Write(std::move(batch)); !written) LogError("{}", written.error().ToString());
  RebuildPlacement();
}

bool Cluster::IsAlive(std::uint32_t server_id) const {
  auto server = servers_.find(ServerId(server_id));
  return server != servers_.end() && server->second.alive;
}

std::uint32_t Cluster::WeightOf(const records::Group& group) const {
  std::vector<ServerSpace> spaces;
  for (std::uint32_t member : group.members()) {
    ServerSpace space;
    if (auto server = servers_.find(ServerId(member)); server != servers_.end()) {
      space = {server->second.heard, server->second.capacity_bytes, server->second.used_bytes};
    }
    spaces.push_back(space);
  }
  return GroupWeight(spaces);
}

void Cluster::RebuildPlacement() {
  std::vector<Placement::Group> groups;
  groups.reserve(groups_.size());
  for (const auto& [id, record] : groups_) {
    Placement::Group group;
    group.id = id;
    group.replicas = record.replicas();
    for (std::uint32_t member : record.members()) group.members.emplace_back(member);
    group.weight = WeightOf(record);
    group.writable = record.in_sync_size() > 0 && std::all_of(record.in_sync().begin(), record.in_sync().end(),
                                                              [&](std::uint32_t member) { return IsAlive(member); });
    groups.push_back(std::move(group));
  }
  Placement::Space space;
  for (const auto& [id, server] : servers_) {
    space.capacity_bytes += server.capacity_bytes;
    space.used_bytes += server.used_bytes;
  }
  placement_ = std::make_shared<const Placement>(std::move(groups), space);
}

proto::ServerEntry Cluster::EntryOf(const Server& server) const {
  proto::ServerEntry entry;
  entry.set_server_id(server.id.value());
  entry.set_endpoint(server.record.endpoint());
  entry.set_alive(server.alive);
  entry.set_capacity_bytes(server.capacity_bytes);
  entry.set_used_bytes(server.used_bytes);
  entry.set_chunks(server.chunks);
  entry.set_disks_online(server.disks_online);
  entry.set_disks_failed(server.disks_failed);
  entry.set_software(server.record.software());
  entry.set_host(server.record.host());
  return entry;
}

proto::ClusterMap Cluster::MapLocked() const {
  proto::ClusterMap map;
  map.set_version(counters_.at(Counter::kMapVersion));
  map.set_cluster_id(cluster_id_);
  for (const auto& [id, server] : servers_) *map.add_servers() = EntryOf(server);
  for (const auto& [id, group] : groups_) {
    proto::PgEntry* entry = map.add_pgs();
    entry->set_pg_id(id.value());
    entry->set_epoch(group.epoch());
    entry->set_replicas(group.replicas());
    *entry->mutable_members() = group.members();
    *entry->mutable_in_sync() = group.in_sync();
    entry->set_primary(group.primary());
    entry->set_weight(WeightOf(group));
  }
  return map;
}

proto::ClusterMap Cluster::Map() const {
  const std::lock_guard lock(mutex_);
  return MapLocked();
}

std::optional<proto::ClusterMap> Cluster::MapIfNewer(std::uint64_t known_version) const {
  const std::lock_guard lock(mutex_);
  if (counters_.at(Counter::kMapVersion) == known_version) return std::nullopt;
  return MapLocked();
}

std::shared_ptr<const Placement> Cluster::placement() const {
  const std::lock_guard lock(mutex_);
  return placement_;
}

void Cluster::AddGarbageCount(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  garbage_count_ += count;
}

std::uint64_t Cluster::garbage_count() const {
  const std::lock_guard lock(mutex_);
  return garbage_count_;
}

Cluster::Health Cluster::GroupHealth() const {
  const std::lock_guard lock(mutex_);
  Health health;
  for (const auto& [id, group] : groups_) {
    auto alive = [&](std::uint32_t member) { return IsAlive(member); };
    const bool all_alive = std::all_of(group.in_sync().begin(), group.in_sync().end(), alive);
    ++health.groups;
    if (all_alive && group.in_sync_size() > 0) ++health.writable;
    if (all_alive && static_cast<std::uint32_t>(group.in_sync_size()) == group.replicas()) ++health.healthy;
  }
  return health;
}

}  // namespace gabion
