#include "metaserver/cluster/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/log.h"
#include "metaserver/store/load_value.h"
#include "metaserver/store/record_codec.h"
#include "metaserver/store/scan_all.h"

namespace gabion {

namespace {

/// The layout of the whole store, raised when keys change their meaning.
constexpr std::uint32_t kStoreFormat = 1;

constexpr Counter kAllCounters[] = {Counter::kChunkId, Counter::kSessionId,  Counter::kServerId, Counter::kVolumeId,
                                    Counter::kPgId,    Counter::kMapVersion, Counter::kStart};

std::string NewClusterId(Random& random) {
  return fmt::format("{:016x}{:016x}", random.Next(), random.Next());
}

}  // namespace

Task<Result<void>> Cluster::Load(Env& env) {
  Result<void> loaded = co_await LoadIdentity(env);
  CO_TRY(loaded);
  loaded = co_await LoadCounters();
  CO_TRY(loaded);
  loaded = co_await LoadServers(env.clock.Now());
  CO_TRY(loaded);
  loaded = co_await LoadGroups(env.clock.Now());
  CO_TRY(loaded);
  loaded = co_await CountGarbage();
  CO_TRY(loaded);
  loaded = co_await events_.Load(kv_);
  CO_TRY(loaded);
  const std::lock_guard lock(mutex_);
  RebuildPlacement();
  co_return Result<void>();
}

Task<Result<void>> Cluster::LoadIdentity(Env& env) {
  std::string cluster_key = ClusterKey();
  Result<std::optional<std::string>> stored = co_await LoadValue(kv_, cluster_key);
  CO_TRY_ASSIGN(std::optional<std::string> bytes, std::move(stored));
  if (bytes) {
    CO_TRY_ASSIGN(records::Cluster record, DecodeRecord<records::Cluster>(cluster_key, *bytes));
    if (record.format() != kStoreFormat) {
      co_return Error(
          ErrorCode::kVersionMismatch,
          fmt::format("the metadata store has format {}, this program reads format {}: start the release that wrote it",
                      record.format(), kStoreFormat));
    }
    identity_ = std::move(record);
  } else {
    identity_.set_cluster_id(NewClusterId(env.random));
    identity_.set_created_ns(env.clock.WallNowNs());
    identity_.set_format(kStoreFormat);
    identity_.set_boot_id(options_.boot_id);
  }
  cluster_id_ = identity_.cluster_id();
  if (identity_.boot_id() != options_.boot_id && !identity_.ended_cleanly()) {
    identity_.set_power_losses(identity_.power_losses() + 1);
  }
  identity_.set_boot_id(options_.boot_id);
  identity_.set_ended_cleanly(false);
  Result<void> stored_again = co_await StoreIdentity();
  CO_TRY(stored_again);
  if (!bytes) LogInfo("made a new cluster, {}", cluster_id_);
  co_return Result<void>();
}

/// Durably.
Task<Result<void>> Cluster::StoreIdentity() {
  WriteBatch batch;
  batch.Put(ClusterKey(), EncodeRecord(identity_));
  CO_TRY_ASSIGN(CommitSeq seq, kv_.Apply(batch));
  Result<void> applied = co_await kv_.WaitApplied(seq);
  CO_TRY(applied);
  Result<void> durable = co_await MakeDurable();
  co_return durable;
}

Task<Result<void>> Cluster::EndCleanly() {
  if (cluster_id_.empty()) co_return Result<void>();  // it was not loaded
  identity_.set_ended_cleanly(true);
  Result<void> stored = co_await StoreIdentity();
  co_return stored;
}

Task<Result<void>> Cluster::LoadCounters() {
  for (Counter counter : kAllCounters) {
    std::string key = CounterKey(counter);
    Result<std::optional<std::string>> value = co_await LoadValue(kv_, key);
    CO_TRY_ASSIGN(std::optional<std::string> counter_bytes, std::move(value));
    std::uint64_t next = 1;
    if (counter_bytes) {
      CO_TRY_ASSIGN(records::Counter record, DecodeRecord<records::Counter>(key, *counter_bytes));
      next = record.next();
    }
    const std::lock_guard lock(mutex_);
    counters_[counter] = next;
  }
  co_return Result<void>();
}

Task<Result<void>> Cluster::LoadServers(TimePoint now) {
  // A server that was there before the restart may have a lease: it gets one lease's time to be heard before it counts
  // as away. One that was away has none: that it was back is durable before it hears of its lease.
  const TimePoint lease_until = now + options_.server_lease;
  RecordVisitor take_server = [&](std::string_view key, std::string_view value) -> Result<void> {
    Server server;
    TRY_ASSIGN(server.id, DecodeServerKey(key));
    TRY(DecodeRecordInto(key, value, server.record));
    server.alive = server.record.away_since_ns() == 0;
    server.lease_until = lease_until;
    const std::lock_guard lock(mutex_);
    servers_by_uuid_[server.record.uuid()] = server.id;
    servers_.emplace(server.id, std::move(server));
    return {};
  };
  Result<void> scanned = co_await ScanAll(kv_, TablePrefix(Table::kServer), take_server);
  co_return scanned;
}

Task<Result<void>> Cluster::LoadGroups(TimePoint now) {
  RecordVisitor take_group = [&](std::string_view key, std::string_view value) -> Result<void> {
    TRY_ASSIGN(PgId id, DecodePgKey(key));
    TRY_ASSIGN(const records::Group record, DecodeRecord<records::Group>(key, value));
    const std::lock_guard lock(mutex_);
    groups_.emplace(id, GroupOf(record, now));
    return {};
  };
  Result<void> scanned = co_await ScanAll(kv_, TablePrefix(Table::kGroup), take_group);
  co_return scanned;
}

Task<Result<void>> Cluster::CountGarbage() {
  RecordVisitor count = [&](std::string_view, std::string_view) -> Result<void> {
    const std::lock_guard lock(mutex_);
    ++garbage_count_;
    return {};
  };
  Result<void> scanned = co_await ScanAll(kv_, TablePrefix(Table::kGarbage), count);
  co_return scanned;
}

Result<CommitSeq> Cluster::Write(WriteBatch batch) {
  if (batch.empty()) return CommitSeq();
  Result<CommitSeq> seq = kv_.Apply(batch);
  if (seq) return seq;
  write_failure_ = seq.error().WithContext("writing cluster state");
  return *write_failure_;
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
  {
    const std::lock_guard lock(mutex_);
    if (write_failure_) co_return Error(ErrorCode::kUnavailable, write_failure_->message());
  }
  Result<CommitSeq> durable = co_await kv_.Sync();
  if (!durable) co_return Error(ErrorCode::kUnavailable, "the metadata store: " + durable.error().message());
  co_return Result<void>();
}

Task<Result<void>> Cluster::MakeMapDurable(std::uint64_t version) {
  {
    const std::lock_guard lock(mutex_);
    if (version <= durable_map_version_) co_return Result<void>();
  }
  Result<void> durable = co_await MakeDurable();
  CO_TRY(durable);
  const std::lock_guard lock(mutex_);
  durable_map_version_ = std::max(durable_map_version_, version);
  co_return Result<void>();
}

void Cluster::RaiseMapVersion(WriteBatch& batch) {
  Result<std::uint64_t> raised = TakeIdsLocked(Counter::kMapVersion, 1, batch);
  CHECK(raised.has_value());
}

bool Cluster::MakeGroups(std::uint32_t replicas, Random& random, WriteBatch& batch) {
  std::vector<PlacementServer> servers;
  for (const auto& [id, server] : servers_) {
    if (server.alive && !server.record.draining() && server.record.maintenance_until_ns() == 0)
      servers.push_back({id, DomainsOf(server.record)});
  }
  std::vector<GroupMembers> existing;
  for (const auto& [id, group] : groups_) {
    if (group.replicas != replicas) continue;
    GroupMembers members{{}, group.primary};
    for (const GroupMember& member : group.members) members.members.push_back(member.id);
    existing.push_back(std::move(members));
  }
  const std::vector<GroupMembers> planned = PlanGroups(servers, existing, replicas, options_.pgs_per_policy, random);
  if (planned.empty()) return false;
  Result<std::uint64_t> first = TakeIdsLocked(Counter::kPgId, planned.size(), batch);
  CHECK(first.has_value());
  auto number = static_cast<std::uint32_t>(*first);
  for (const GroupMembers& members : planned) {
    PlacementGroup group;
    group.epoch = Epoch(1);
    group.replicas = replicas;
    group.primary = members.primary;
    for (ServerId id : members.members) {
      GroupMember member;
      member.id = id;
      member.incarnation = servers_.at(id).record.incarnation();
      group.members.push_back(member);
    }
    const PgId id(number++);
    batch.Put(PgKey(id), EncodeRecord(ToRecord(group)));
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

FailureDomains Cluster::DomainsOf(const records::Server& record) {
  return {record.zone(), record.rack(), record.host()};
}

bool Cluster::IsAlive(ServerId id) const {
  auto server = servers_.find(id);
  return server != servers_.end() && server->second.alive;
}

bool Cluster::IsWritable(const PlacementGroup& group) const {
  const auto in_sync = std::count_if(group.members.begin(), group.members.end(), [&](const GroupMember& member) {
    return member.state == MemberState::kInSync && IsAlive(member.id);
  });
  return in_sync >= MinReplicas(group.replicas) && IsAlive(group.primary);
}

std::uint32_t Cluster::WeightOf(const PlacementGroup& group) const {
  std::vector<ServerSpace> spaces;
  for (const GroupMember& member : group.members) {
    // What is away takes no data; by the time it is back it will have said what room it has.
    if (member.state == MemberState::kAway) continue;
    auto server = servers_.find(member.id);
    spaces.push_back(server == servers_.end() ? ServerSpace() : server->second.space());
  }
  return GroupWeight(spaces);
}

void Cluster::RebuildPlacement() {
  std::vector<Placement::Group> groups;
  groups.reserve(groups_.size());
  for (const auto& [id, group] : groups_) {
    Placement::Group place;
    place.id = id;
    place.replicas = group.replicas;
    place.epoch = group.epoch;
    for (const GroupMember& member : group.members) place.members.push_back(member.id);
    place.weight = WeightOf(group);
    place.writable = IsWritable(group);
    groups.push_back(std::move(place));
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
  entry.set_lost_store(server.lost_store);
  entry.set_capacity_bytes(server.capacity_bytes);
  entry.set_used_bytes(server.used_bytes);
  entry.set_chunks(server.chunks);
  entry.set_disks_online(server.disks_online);
  entry.set_disks_failed(server.disks_failed);
  entry.set_software(server.record.software());
  entry.set_host(server.record.host());
  entry.set_rack(server.record.rack());
  entry.set_zone(server.record.zone());
  entry.set_draining(server.record.draining());
  if (server.record.draining()) entry.set_drain_bytes_left(CountBytesToDrain(server));
  entry.set_maintenance_until_ns(server.record.maintenance_until_ns());
  return entry;
}

proto::ClusterMap Cluster::MapLocked() const {
  proto::ClusterMap map;
  map.set_version(counters_.at(Counter::kMapVersion));
  map.set_cluster_id(cluster_id_);
  std::map<ServerId, std::uint32_t> memberships;
  for (const auto& [id, group] : groups_) {
    for (const GroupMember& member : group.members) ++memberships[member.id];
  }
  for (const auto& [id, server] : servers_) {
    *map.add_servers() = EntryOf(server);
    map.mutable_servers()->rbegin()->set_pgs(memberships[id]);
  }
  for (const auto& [id, group] : groups_) {
    proto::PgEntry* entry = map.add_pgs();
    entry->set_pg_id(id.value());
    entry->set_epoch(group.epoch.value());
    entry->set_replicas(group.replicas);
    entry->set_min_replicas(MinReplicas(group.replicas));
    entry->set_lost_before_epoch(group.lost_before.value());
    for (const GroupMember& member : group.members) {
      entry->add_members(member.id.value());
      if (member.state == MemberState::kInSync) entry->add_in_sync(member.id.value());
      if (member.state != MemberState::kJoining) continue;
      proto::Joiner* joiner = entry->add_joining();
      joiner->set_server_id(member.id.value());
      joiner->set_since_epoch(member.since.value());
    }
    entry->set_primary(group.primary.value());
    entry->set_weight(WeightOf(group));
  }
  return map;
}

Task<Result<proto::ClusterMap>> Cluster::Map() {
  Result<std::optional<proto::ClusterMap>> map = co_await MapIfNewer(0);
  if (!map) co_return map.error();
  co_return std::move(**map);
}

Task<Result<std::optional<proto::ClusterMap>>> Cluster::MapIfNewer(std::uint64_t known_version) {
  std::optional<proto::ClusterMap> map;
  {
    const std::lock_guard lock(mutex_);
    if (counters_.at(Counter::kMapVersion) != known_version) map = MapLocked();
  }
  if (!map) co_return map;
  Result<void> durable = co_await MakeMapDurable(map->version());
  CO_TRY(durable);
  co_return map;
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

void Cluster::Note(records::Event event, Env& env, WriteBatch& batch) {
  event.set_time_ns(env.clock.WallNowNs());
  if (event.warning()) {
    LogWarning("{}", event.text());
  } else {
    LogInfo("{}", event.text());
  }
  events_.Add(std::move(event), batch);
}

void Cluster::AddEvent(std::string kind, std::string text, Env& env, bool warning) {
  const std::lock_guard lock(mutex_);
  WriteBatch batch;
  Note(EventAbout(ServerId(), std::move(kind), std::move(text), warning), env, batch);
  if (Result<CommitSeq> written = Write(std::move(batch)); !written) LogError("{}", written.error().ToString());
}

std::vector<EventLog::Numbered> Cluster::LastEvents(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  return events_.Last(count);
}

Cluster::Health Cluster::GroupHealth() const {
  const std::lock_guard lock(mutex_);
  Health health;
  for (const auto& [id, group] : groups_) {
    const auto whole = std::count_if(group.members.begin(), group.members.end(), [&](const GroupMember& member) {
      return member.state == MemberState::kInSync && IsAlive(member.id);
    });
    ++health.groups;
    if (IsWritable(group)) ++health.writable;
    if (whole >= group.replicas) ++health.healthy;
  }
  return health;
}

}  // namespace gabion
