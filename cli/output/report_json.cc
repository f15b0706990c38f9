#include <nlohmann/json.hpp>

#include "cli/output/format.h"
#include "cli/output/health.h"
#include "cli/output/report.h"

namespace gabion {

using Json = nlohmann::ordered_json;

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
          {"capacity_bytes", server.capacity_bytes()},
          {"used_bytes", server.used_bytes()},
          {"chunks", server.chunks()},
          {"disks_online", server.disks_online()},
          {"disks_failed", server.disks_failed()},
          {"software", server.software()}};
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
          {"volumes", VolumesJson(status.volumes())},
          {"servers", ServersJson(status.servers())}};
}

std::string DumpJson(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gabion
