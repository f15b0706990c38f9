#include <nlohmann/json.hpp>

#include "cli/output/format.h"
#include "cli/output/health.h"
#include "cli/output/report.h"

namespace gabion {

using Json = nlohmann::ordered_json;

namespace {

Json RecoveryJson(const proto::RecoveryStatus& recovery) {
  return {{"pgs_degraded", recovery.pgs_degraded()},
          {"fewest_copies", recovery.fewest_copies()},
          {"pgs_with_fewest", recovery.pgs_with_fewest()},
          {"missing_servers",
           std::vector<std::uint32_t>(recovery.missing_servers().begin(), recovery.missing_servers().end())},
          {"joiners", recovery.joiners()},
          {"chunks_left", recovery.chunks_left()},
          {"bytes_left", recovery.bytes_left()},
          {"bytes_sent", recovery.bytes_sent()}};
}

const char* StateName(proto::PgMemberState state) {
  switch (state) {
    case proto::PG_MEMBER_IN_SYNC:
      return "in_sync";
    case proto::PG_MEMBER_JOINING:
      return "joining";
    case proto::PG_MEMBER_AWAY:
      return "away";
    default:
      return "unknown";
  }
}

Json PgMemberJson(const proto::PgMemberEntry& member) {
  Json json = {{"server_id", member.server_id()},
               {"state", StateName(member.state())},
               {"alive", member.alive()},
               {"since_epoch", member.since_epoch()}};
  if (member.progress_known()) {
    json["chunks_left"] = member.chunks_left();
    json["bytes_left"] = member.bytes_left();
    json["bytes_sent"] = member.bytes_sent();
  }
  return json;
}

}  // namespace

Json VolumeJson(const proto::VolumeEntry& volume) {
  return {{"volume_id", volume.volume_id()},   {"name", volume.name()},
          {"replicas", volume.replicas()},     {"inodes", volume.inodes()},
          {"used_bytes", volume.used_bytes()}, {"sessions", volume.sessions()},
          {"created_ns", volume.created_ns()}, {"created", FormatUtc(volume.created_ns())}};
}

Json ServerJson(const proto::ServerEntry& server) {
  return {{"server_id", server.server_id()},
          {"endpoint", server.endpoint()},
          {"alive", server.alive()},
          {"host", server.host()},
          {"rack", server.rack()},
          {"zone", server.zone()},
          {"capacity_bytes", server.capacity_bytes()},
          {"used_bytes", server.used_bytes()},
          {"chunks", server.chunks()},
          {"disks_online", server.disks_online()},
          {"disks_failed", server.disks_failed()},
          {"software", server.software()},
          {"draining", server.draining()},
          {"drain_bytes_left", server.drain_bytes_left()},
          {"maintenance_until_ns", server.maintenance_until_ns()},
          {"pgs", server.pgs()},
          {"scrub", ScrubJson(server)}};
}

Json VolumesJson(const VolumeEntries& volumes) {
  Json array = Json::array();
  for (const proto::VolumeEntry& volume : volumes) array.push_back(VolumeJson(volume));
  return array;
}

Json ServersJson(const ServerEntries& servers) {
  Json array = Json::array();
  for (const proto::ServerEntry& server : servers) array.push_back(ServerJson(server));
  return array;
}

Json StatusJson(const proto::AdminStatusReply& status) {
  const Health health = AssessHealth(status);
  return {{"cluster_id", status.cluster_id()},
          {"software", status.software()},
          {"uptime_s", status.uptime_s()},
          {"health", ToString(health.level)},
          {"reasons", health.reasons},
          {"pgs", status.pgs()},
          {"pgs_healthy", status.pgs_healthy()},
          {"pgs_writable", status.pgs_writable()},
          {"sessions", status.sessions()},
          {"garbage_chunks", status.garbage_chunks()},
          {"recovery", RecoveryJson(status.recovery())},
          {"balance",
           {{"under_way", status.balance().under_way()},
            {"pgs_moving", status.balance().pgs_moving()},
            {"bytes_left", status.balance().bytes_left()}}},
          {"volumes", VolumesJson(status.volumes())},
          {"servers", ServersJson(status.servers())}};
}

Json PgJson(const proto::PgStatus& pg) {
  Json members = Json::array();
  for (const proto::PgMemberEntry& member : pg.members()) members.push_back(PgMemberJson(member));
  return {{"pg_id", pg.pg_id()},          {"epoch", pg.epoch()},
          {"replicas", pg.replicas()},    {"min_replicas", pg.min_replicas()},
          {"primary", pg.primary()},      {"writable", pg.writable()},
          {"members", std::move(members)}};
}

Json PgsJson(const PgStatuses& pgs) {
  Json array = Json::array();
  for (const proto::PgStatus& pg : pgs) array.push_back(PgJson(pg));
  return array;
}

Json EventsJson(const EventEntries& events) {
  Json array = Json::array();
  for (const proto::EventEntry& event : events) {
    array.push_back({{"number", event.number()},
                     {"time_ns", event.time_ns()},
                     {"time", FormatUtc(event.time_ns())},
                     {"kind", event.kind()},
                     {"warning", event.warning()},
                     {"server_id", event.server_id()},
                     {"text", event.text()}});
  }
  return array;
}

std::string DumpJson(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gabion
