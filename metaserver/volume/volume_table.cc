#include "metaserver/volume/volume_table.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/base/log.h"
#include "metaserver/op/inode.h"
#include "metaserver/store/scan_all.h"

namespace gabion {

namespace {

constexpr std::size_t kMaxVolumeNameBytes = 63;
constexpr std::uint64_t kFirstDelegatedIno = 1024;  // those below are the server's: the root, and what may come
constexpr std::uint32_t kRootMode = S_IFDIR | 0755;

/// A volume's first records.
WriteBatch NewVolumeBatch(VolumeId id, const records::Volume& record, const records::VolumeStats& stats) {
  records::Inode root;
  root.set_mode(kRootMode);
  root.set_nlink(2);
  root.set_parent(kRootIno.value());
  root.set_data_version(1);
  root.set_atime_ns(record.created_ns());
  root.set_mtime_ns(record.created_ns());
  root.set_ctime_ns(record.created_ns());
  root.set_btime_ns(record.created_ns());
  records::VolumeState state;
  state.set_next_ino(kFirstDelegatedIno);
  WriteBatch batch;
  batch.Put(VolumeKey(id), EncodeRecord(record));
  batch.Put(VolumeStateKey(id), EncodeRecord(state));
  batch.Put(VolumeStatsKey(id), EncodeRecord(stats));
  batch.Put(InodeKey(id, kRootIno), EncodeRecord(root));
  return batch;
}

/// Whether a volume may be deleted. Errors: kBusy, kNotEmpty, those of Txn.
Result<void> CheckDeletion(Txn& txn, const VolumeState& state, bool force, TimePoint live_since) {
  for (const auto& [id, session] : state.sessions.all()) {
    if (force && session.last_heard < live_since) continue;
    return Error(ErrorCode::kBusy,
                 fmt::format("volume '{}' is mounted {} times, on host '{}' at '{}' among others: unmount it first",
                             state.record.name(), state.sessions.size(), session.host, session.mountpoint));
  }
  TRY_ASSIGN(const records::Inode root, GetInode(txn, kRootIno));
  if (root.entries() > 0 && !force) {
    return Error(ErrorCode::kNotEmpty, fmt::format("volume '{}' has {} inodes: remove the files first, or force it",
                                                   state.record.name(), state.stats.inodes()));
  }
  return {};
}

}  // namespace

bool IsVolumeName(std::string_view name) {
  auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kMaxVolumeNameBytes && is_alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

Task<Result<void>> VolumeTable::Load(Env& env) {
  CO_TRY_ASSIGN(const std::uint64_t start, cluster_.TakeIds(Counter::kStart, 1));
  Result<void> durable = co_await cluster_.MakeDurable();
  CO_TRY(durable);
  data_version_floor_ = start * kDataVersionsPerStart;
  std::map<VolumeId, records::Volume> records;
  RecordVisitor visit = [&](std::string_view key, std::string_view value) -> Result<void> {
    TRY_ASSIGN(const VolumeId id, DecodeVolumeKey(key));
    TRY_ASSIGN(records[id], DecodeRecord<records::Volume>(key, value));
    return {};
  };
  Result<void> scanned = co_await ScanAll(kv_, TablePrefix(Table::kVolume), visit);
  CO_TRY(scanned);
  for (auto& [id, record] : records) {
    if (record.deleting()) {
      const std::lock_guard lock(mutex_);
      deleting_.insert(id);
      continue;
    }
    const std::uint32_t replicas = record.replicas();
    auto volume =
        std::make_shared<Volume>(id, std::move(record), kv_, cluster_, session_ttl_, data_version_floor_, env.random);
    Result<void> loaded = co_await volume->Load(env);
    CO_TRY(loaded);
    cluster_.AddPolicy(replicas, env.random);
    const std::lock_guard lock(mutex_);
    by_name_[volume->name()] = id;
    volumes_[id] = std::move(volume);
  }
  co_return Result<void>();
}

std::shared_ptr<Volume> VolumeTable::Find(VolumeId id) const {
  const std::lock_guard lock(mutex_);
  auto found = volumes_.find(id);
  return found == volumes_.end() ? nullptr : found->second;
}

std::shared_ptr<Volume> VolumeTable::FindByName(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : volumes_.at(found->second);
}

std::vector<std::shared_ptr<Volume>> VolumeTable::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Volume>> volumes;
  volumes.reserve(volumes_.size());
  for (const auto& [id, volume] : volumes_) volumes.push_back(volume);
  return volumes;
}

Task<Result<std::shared_ptr<Volume>>> VolumeTable::Create(std::string name, std::uint32_t replicas, Env& env) {
  if (!IsVolumeName(name)) {
    co_return Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a volume's name: 1 to {} lower-case letters, "
                                                             "digits, '.', '_' and '-', the first a letter or digit",
                                                             name, kMaxVolumeNameBytes));
  }
  if (replicas < 1 || replicas > kMaxReplicas) {
    co_return Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} replicas; 1 to {} are possible", replicas, kMaxReplicas));
  }
  std::shared_ptr<Volume> volume;
  CommitSeq seq;
  {
    const std::lock_guard lock(mutex_);
    if (by_name_.contains(name)) co_return Error(ErrorCode::kExists, fmt::format("volume '{}' exists", name));
    if (volumes_.size() >= kMaxVolumes)
      co_return Error(ErrorCode::kOverloaded, fmt::format("there are {} volumes, the limit", volumes_.size()));
    CO_TRY_ASSIGN(const std::uint64_t number, cluster_.TakeIds(Counter::kVolumeId, 1));
    const VolumeId id(static_cast<std::uint32_t>(number));
    records::Volume record;
    record.set_name(name);
    record.set_replicas(replicas);
    record.set_created_ns(env.clock.WallNowNs());
    records::VolumeStats stats;
    stats.set_inodes(1);
    Result<CommitSeq> commit = kv_.Apply(NewVolumeBatch(id, record, stats));
    if (!commit) co_return commit.error().WithContext(fmt::format("making volume '{}'", name));
    seq = *commit;
    volume = std::make_shared<Volume>(id, record, kv_, cluster_, session_ttl_, data_version_floor_, env.random);
    volume->InitializeNew(kFirstDelegatedIno, stats);
    volumes_[id] = volume;
    by_name_[name] = id;
  }
  cluster_.AddPolicy(replicas, env.random);
  cluster_.AddEvent("volume-created", fmt::format("volume '{}' was made, with {} replicas", name, replicas), env);
  if (!cluster_.placement()->HasGroups(replicas)) {
    LogWarning("volume '{}' keeps names, but no data until {} chunkservers have registered", name, replicas);
  }
  Result<void> applied = co_await kv_.WaitApplied(seq);
  CO_TRY(applied);
  Result<void> durable = co_await cluster_.MakeDurable();
  CO_TRY(durable);
  co_return volume;
}

Task<Result<void>> VolumeTable::Delete(std::string name, bool force, TimePoint live_since, Env& env) {
  std::shared_ptr<Volume> volume = FindByName(name);
  if (!volume) co_return Error(ErrorCode::kNotFound, fmt::format("no volume '{}'", name));
  Volume::Decision decide = [&](Txn& txn, OpContext& context) -> Result<void> {
    TRY(CheckDeletion(txn, context.state, force, live_since));
    records::Volume record = context.state.record;
    record.set_deleting(true);
    txn.PutVolume(record);
    return {};
  };
  Volume::Publish publish = [](VolumeState& state) {
    state.closed = true;
    state.leases.Close();
  };
  Result<void> closed = co_await volume->Run(std::move(decide), std::move(publish), env);
  CO_TRY(closed);
  {
    const std::lock_guard lock(mutex_);
    by_name_.erase(name);
    volumes_.erase(volume->id());
    deleting_.insert(volume->id());
  }
  cluster_.AddEvent("volume-deleted", fmt::format("volume '{}' was deleted; its chunks go in the background", name),
                    env);
  Result<void> durable = co_await cluster_.MakeDurable();
  co_return durable;
}

std::vector<VolumeId> VolumeTable::Deleting() const {
  const std::lock_guard lock(mutex_);
  return {deleting_.begin(), deleting_.end()};
}

void VolumeTable::RecordRemoved(VolumeId id) {
  const std::lock_guard lock(mutex_);
  deleting_.erase(id);
}

}  // namespace gabion
