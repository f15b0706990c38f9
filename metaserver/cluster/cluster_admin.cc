// What administrators see of the cluster, and do to it.
#include <fmt/format.h>

#include "metaserver/cluster/cluster.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

Task<Result<std::vector<Cluster::GroupView>>> Cluster::ViewGroups() {
  std::vector<GroupView> views;
  std::uint64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    version = counters_.at(Counter::kMapVersion);
    for (const auto& [id, group] : groups_) {
      GroupView view{id, group, IsWritable(group), {}, {}};
      for (const GroupMember& member : group.members) {
        if (IsAlive(member.id)) view.alive.insert(member.id);
      }
      if (auto known = progress_.find(id); known != progress_.end()) view.progress = known->second;
      views.push_back(std::move(view));
    }
  }
  Result<void> durable = co_await MakeMapDurable(version);
  CO_TRY(durable);
  co_return views;
}

Result<Cluster::Server*> Cluster::FindServer(ServerId id) {
  auto found = servers_.find(id);
  if (found == servers_.end()) return Error(ErrorCode::kNotFound, fmt::format("no chunkserver {}", id.value()));
  return &found->second;
}

std::uint64_t Cluster::CountBytesToDrain(const Server& server) const {
  const std::uint32_t count = CountGroupsOf(server.id);
  std::uint64_t bytes = 0;
  for (const auto& [id, group] : groups_) {
    if (group.Find(server.id) == nullptr) continue;
    auto progress = progress_.find(id);
    const proto::PgProgress* copy = progress == progress_.end() ? nullptr : &progress->second.begin()->second;
    auto known = group_bytes_.find(id);
    if (copy != nullptr && copy->bytes_left() + copy->bytes_sent() > 0) {
      bytes += copy->bytes_left();
    } else {
      bytes += known == group_bytes_.end() ? server.used_bytes / count : known->second;
    }
  }
  return bytes;
}

proto::ServerEntry Cluster::FullEntryOf(const Server& server) const {
  proto::ServerEntry entry = EntryOf(server);
  entry.set_pgs(CountGroupsOf(server.id));
  return entry;
}

Result<proto::ServerEntry> Cluster::WriteServer(const Server& server, Env& env, WriteBatch batch) {
  batch.Put(ServerKey(server.id), EncodeRecord(server.record));
  AdvanceGroups(env, batch);
  RaiseMapVersion(batch);
  TRY_ASSIGN([[maybe_unused]] CommitSeq seq, Write(std::move(batch)));
  RebuildPlacement();
  return FullEntryOf(server);
}

Task<Result<proto::ServerEntry>> Cluster::Drain(ServerId id, bool undo, Env& env) {
  proto::ServerEntry entry;
  {
    const std::lock_guard lock(mutex_);
    CO_TRY_ASSIGN(Server * server, FindServer(id));
    entry = FullEntryOf(*server);
    if (server->record.draining() == undo) {
      WriteBatch batch;
      server->record.set_draining(!undo);
      Note(EventAbout(id, undo ? "server-undrained" : "server-draining",
                      fmt::format("chunkserver {} {}", id.value(),
                                  undo ? "is no longer drained" : "is drained: its groups move to other servers")),
           env, batch);
      CO_TRY_ASSIGN(entry, WriteServer(*server, env, std::move(batch)));
    }
  }
  Result<void> durable = co_await MakeDurable();
  CO_TRY(durable);
  co_return entry;
}

Result<void> Cluster::CheckRemoval(ServerId id) {
  TRY_ASSIGN(const Server* server, FindServer(id));
  if (const std::uint32_t groups = CountGroupsOf(id); groups > 0) {
    return Error(ErrorCode::kBusy,
                 fmt::format("chunkserver {} is a member of {} placement groups: drain it first, and wait until it has "
                             "none",
                             id.value(), groups));
  }
  if (server->alive) {
    return Error(ErrorCode::kBusy, fmt::format("chunkserver {} is running: stop it first", id.value()));
  }
  return {};
}

Task<Result<void>> Cluster::Remove(ServerId id, Env& env) {
  std::vector<std::uint64_t> chunks;
  do {
    {
      const std::lock_guard lock(mutex_);
      CO_TRY(CheckRemoval(id));
    }
    // What it was to delete went with it.
    Result<std::vector<std::uint64_t>> listed = co_await ListGarbage(id);
    CO_TRY_ASSIGN(chunks, std::move(listed));
    google::protobuf::RepeatedField<std::uint64_t> gone(chunks.begin(), chunks.end());
    Result<void> removed = co_await RemoveDeleted(id, std::move(gone));
    CO_TRY(removed);
  } while (!chunks.empty());
  {
    const std::lock_guard lock(mutex_);
    CO_TRY(CheckRemoval(id));
    WriteBatch batch;
    batch.Delete(ServerKey(id));
    Note(EventAbout(id, "server-removed", fmt::format("chunkserver {} was removed", id.value())), env, batch);
    RaiseMapVersion(batch);
    CO_TRY_ASSIGN([[maybe_unused]] CommitSeq seq, Write(std::move(batch)));
    servers_by_uuid_.erase(servers_.at(id).record.uuid());
    servers_.erase(id);
    RebuildPlacement();
  }
  Result<void> durable = co_await MakeDurable();
  co_return durable;
}

}  // namespace gabion
