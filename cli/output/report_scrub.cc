#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/output/format.h"
#include "cli/output/report.h"
#include "cli/output/table.h"

namespace gabion {
namespace {

std::string ScrubState(const proto::ServerEntry& server) {
  const proto::ScrubReport& scrub = server.scrub();
  if (!scrub.running()) return "idle";
  // What an administrator wants and the server has not begun has no bytes yet.
  if (scrub.pass_bytes() == 0) return server.alive() ? "waiting" : "waiting (DOWN)";
  return "running " + FormatShare(scrub.pass_bytes_done(), scrub.pass_bytes());
}

}  // namespace

std::string ScrubTable(const ServerEntries& servers) {
  if (servers.empty()) return "no chunkservers\n";
  Table table({{"SERVER", Table::Align::kRight},
               {"ENDPOINT"},
               {"STATE"},
               {"LAST PASS"},
               {"REPAIRED", Table::Align::kRight},
               {"FAILED CHUNKS", Table::Align::kRight}});
  for (const proto::ServerEntry& server : servers) {
    table.AddRow({std::to_string(server.server_id()), server.endpoint(), ScrubState(server),
                  server.last_scrub_ns() == 0 ? "not known" : FormatUtc(server.last_scrub_ns()),
                  FormatBytes(server.scrub().repaired_bytes()), FormatCount(server.scrub().failed_chunks())});
  }
  return table.ToString();
}

nlohmann::ordered_json ScrubJson(const proto::ServerEntry& server) {
  const proto::ScrubReport& scrub = server.scrub();
  return {{"server_id", server.server_id()},
          {"endpoint", server.endpoint()},
          {"alive", server.alive()},
          {"running", scrub.running()},
          {"pass_bytes", scrub.pass_bytes()},
          {"pass_bytes_done", scrub.pass_bytes_done()},
          {"passes", scrub.passes()},
          {"last_scrub_ns", server.last_scrub_ns()},
          {"repaired_bytes", scrub.repaired_bytes()},
          {"failed_chunks", scrub.failed_chunks()}};
}

nlohmann::ordered_json ScrubsJson(const ServerEntries& servers) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const proto::ServerEntry& server : servers) array.push_back(ScrubJson(server));
  return array;
}

}  // namespace gabion
