// Servers that may be away for a while.
#include <fmt/format.h>

#include "metaserver/cluster/cluster.h"
#include "metaserver/cluster/maintenance_policy.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

Result<void> Cluster::CheckMaintenance(const Server& server, TimePoint now) const {
  const std::size_t groups = GroupsThatNeed(server.id, groups_, FactsAt(now)).size();
  if (groups == 0) return {};
  return Error(
      ErrorCode::kBusy,
      fmt::format("{} placement group{} no copy in sync but the one on chunkserver {} that is within reach, and "
                  "would be unavailable without it: bring the other members back first, or say --force",
                  groups, groups == 1 ? " has" : "s have", server.id.value()));
}

Task<Result<proto::ServerEntry>> Cluster::BeginMaintenance(ServerId id, Duration time, bool force, Env& env) {
  if (time < std::chrono::seconds(1) || time > kMaxMaintenance) {
    co_return Error(ErrorCode::kInvalidArgument, "a maintenance lasts from 1 second to 7 days");
  }
  proto::ServerEntry entry;
  {
    const std::lock_guard lock(mutex_);
    CO_TRY_ASSIGN(Server * server, FindServer(id));
    if (!force) CO_TRY(CheckMaintenance(*server, env.clock.Now()));
    WriteBatch batch;
    server->record.set_maintenance_until_ns(env.clock.WallNowNs() + time.count());
    Note(EventAbout(
             id, "server-maintenance",
             fmt::format("chunkserver {} is in maintenance for {} s: it may be away meanwhile, its copies are not "
                         "made anew",
                         id.value(), std::chrono::duration_cast<std::chrono::seconds>(time).count())),
         env, batch);
    CO_TRY_ASSIGN(entry, WriteServer(*server, env, std::move(batch)));
  }
  Result<void> durable = co_await MakeDurable();
  CO_TRY(durable);
  co_return entry;
}

Task<Result<proto::ServerEntry>> Cluster::EndMaintenance(ServerId id, Env& env) {
  proto::ServerEntry entry;
  {
    const std::lock_guard lock(mutex_);
    CO_TRY_ASSIGN(Server * server, FindServer(id));
    entry = FullEntryOf(*server);
    if (entry.maintenance_until_ns() != 0) {
      WriteBatch batch;
      EndMaintenanceOf(*server, "was ended", env, batch);
      CO_TRY_ASSIGN(entry, WriteServer(*server, env, std::move(batch)));
    }
  }
  Result<void> durable = co_await MakeDurable();
  CO_TRY(durable);
  co_return entry;
}

void Cluster::EndMaintenanceOf(Server& server, std::string why, Env& env, WriteBatch& batch) {
  server.record.clear_maintenance_until_ns();
  server.missed_since = env.clock.Now();
  batch.Put(ServerKey(server.id), EncodeRecord(server.record));
  Note(EventAbout(server.id, "server-maintenance-ended",
                  fmt::format("the maintenance of chunkserver {} {}{}", server.id.value(), why,
                              server.alive ? "" : ": it is down, and its absence counts from now on"),
                  !server.alive),
       env, batch);
}

bool Cluster::EndDueMaintenance(Env& env, WriteBatch& batch) {
  bool ended = false;
  const std::int64_t now_ns = env.clock.WallNowNs();
  for (auto& [id, server] : servers_) {
    const std::int64_t until_ns = server.record.maintenance_until_ns();
    if (until_ns == 0 || now_ns < until_ns) continue;
    EndMaintenanceOf(server, "is over", env, batch);
    ended = true;
  }
  return ended;
}

}  // namespace gabion
