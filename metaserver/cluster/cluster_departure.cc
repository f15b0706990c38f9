// Servers that end in order, and those that have lost a store and begin afresh.
#include <fmt/format.h>

#include "metaserver/cluster/cluster.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

void Cluster::Depart(Server& server, records::Event event, Env& env, WriteBatch& batch) {
  server.alive = false;
  fencer_.Departed(server.id);
  server.record.set_away_since_ns(env.clock.WallNowNs());
  batch.Put(ServerKey(server.id), EncodeRecord(server.record));
  Note(std::move(event), env, batch);
}

bool Cluster::TakeDeparture(Server& server, bool lost_store, Env& env, WriteBatch& batch) {
  const bool is_news = lost_store && !server.lost_store;
  server.lost_store = lost_store;
  const std::string name =
      fmt::format("chunkserver {} ({}, host '{}')", server.id.value(), server.record.endpoint(), server.record.host());
  records::Event event =
      lost_store
          ? EventAbout(server.id, "store-lost",
                       name + " has lost a store, and serves nothing until it has begun afresh: its log says why", true)
          : EventAbout(server.id, "server-stopped", name + " was stopped", true);
  if (server.alive) {
    Depart(server, std::move(event), env, batch);
    return true;
  }
  if (is_news) Note(std::move(event), env, batch);
  return false;
}

bool Cluster::ForgetLostStore(const Server& server, Env& env, WriteBatch& batch) {
  if (!IsDispensable(server.id, groups_, FactsAt(env.clock.Now()))) return false;
  std::uint32_t count = 0;
  for (auto& [id, group] : groups_) {
    for (GroupMember& member : group.members) {
      if (member.id != server.id || !member.since) continue;
      member.since = Epoch();
      batch.Put(PgKey(id), EncodeRecord(ToRecord(group)));
      ++count;
    }
  }
  if (count > 0) {
    Note(EventAbout(server.id, "store-given-up",
                    fmt::format("chunkserver {} begins afresh: all it had in {} placement groups is elsewhere, and is "
                                "copied to it again",
                                server.id.value(), count)),
         env, batch);
  }
  return true;
}

}  // namespace gabion
