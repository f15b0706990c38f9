#include <fmt/format.h>

#include <algorithm>

#include "cli/output/format.h"
#include "cli/output/health.h"
#include "cli/output/report.h"
#include "cli/output/table.h"

namespace gabion {
namespace {

using Align = Table::Align;

std::string DisksCell(const proto::ServerEntry& server) {
  if (server.disks_failed() == 0) return FormatCount(server.disks_online());
  return fmt::format("{} ({} failed)", server.disks_online(), server.disks_failed());
}

std::string StateCell(const proto::ServerEntry& server) {
  std::vector<std::string> states;
  if (!server.alive()) states.emplace_back(server.lost_store() ? "LOST A STORE" : "DOWN");
  if (server.draining())
    states.push_back(server.pgs() == 0 ? "drained" : fmt::format("draining ({} left)", server.pgs()));
  if (server.maintenance_until_ns() != 0)
    states.push_back("maintenance until " + FormatUtc(server.maintenance_until_ns()));
  return states.empty() ? "up" : fmt::format("{}", fmt::join(states, ", "));
}

std::string RecoveryText(const proto::RecoveryStatus& recovery) {
  if (recovery.joiners() == 0) return recovery.pgs_degraded() == 0 ? "nothing to do" : "waits for chunkservers";
  return fmt::format("{} being brought in sync: {} left, {} sent", FormatCountOf(recovery.joiners(), "member"),
                     FormatBytes(recovery.bytes_left()), FormatBytes(recovery.bytes_sent()));
}

std::string BalanceText(const proto::BalanceStatus& balance) {
  if (!balance.under_way()) return "nothing to move";
  if (balance.pgs_moving() == 0) return "under way: space of groups that have moved is given back";
  return fmt::format("under way: {} moving, {} left", FormatCountOf(balance.pgs_moving(), "group"),
                     FormatBytes(balance.bytes_left()));
}

/// Of all passes that run; empty: none does.
std::string ScrubText(const ServerEntries& servers) {
  std::uint64_t running = 0;
  std::uint64_t bytes = 0;
  std::uint64_t done = 0;
  for (const proto::ServerEntry& server : servers) {
    if (!server.scrub().running()) continue;
    ++running;
    bytes += server.scrub().pass_bytes();
    done += server.scrub().pass_bytes_done();
  }
  return running == 0 ? ""
                      : fmt::format("{} done on {}", FormatShare(done, bytes), FormatCountOf(running, "chunkserver"));
}

std::string HealthText(const Health& health) {
  std::string text(ToString(health.level));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  for (std::size_t i = 0; i < health.reasons.size(); ++i) text += (i == 0 ? ": " : "; ") + health.reasons[i];
  return text;
}

}  // namespace

std::string VolumeTable(const VolumeEntries& volumes) {
  if (volumes.empty()) return "no volumes; make one with: gabion volume create NAME\n";
  Table table({{"VOLUME"},
               {"REPLICAS", Align::kRight},
               {"INODES", Align::kRight},
               {"USED", Align::kRight},
               {"CLIENTS", Align::kRight},
               {"CREATED"}});
  for (const proto::VolumeEntry& volume : volumes) {
    table.AddRow({volume.name(), FormatCount(volume.replicas()), FormatCount(volume.inodes()),
                  FormatBytes(volume.used_bytes()), FormatCount(volume.sessions()), FormatUtc(volume.created_ns())});
  }
  return table.ToString();
}

std::string ServerTable(const ServerEntries& servers) {
  if (servers.empty()) return "no chunkservers; start one with: gabion-chunkserver --metaserver HOST:PORT --data DIR\n";
  Table table({{"SERVER", Align::kRight},
               {"ENDPOINT"},
               {"STATE"},
               {"HOST"},
               {"RACK"},
               {"ZONE"},
               {"USED", Align::kRight},
               {"CAPACITY", Align::kRight},
               {"USE", Align::kRight},
               {"CHUNKS", Align::kRight},
               {"DISKS", Align::kRight},
               {"SOFTWARE"}});
  for (const proto::ServerEntry& server : servers) {
    table.AddRow({std::to_string(server.server_id()), server.endpoint(), StateCell(server), server.host(),
                  server.rack(), server.zone(), FormatBytes(server.used_bytes()), FormatBytes(server.capacity_bytes()),
                  FormatShare(server.used_bytes(), server.capacity_bytes()), FormatCount(server.chunks()),
                  DisksCell(server), server.software()});
  }
  return table.ToString();
}

std::string EventLines(const EventEntries& events) {
  if (events.empty()) return "nothing has happened\n";
  Table table({{"TIME"}, {""}, {"EVENT"}});
  for (const proto::EventEntry& event : events)
    table.AddRow({FormatUtc(event.time_ns()), event.warning() ? "!" : "", event.text()});
  return table.ToString();
}

std::string VolumeFacts(const proto::VolumeEntry& volume) {
  return FormatFacts(
      {{"volume", volume.name()},
       {"id", std::to_string(volume.volume_id())},
       {"replicas", FormatCount(volume.replicas())},
       {"inodes", FormatCount(volume.inodes())},
       {"used", fmt::format("{} ({} bytes)", FormatBytes(volume.used_bytes()), FormatCount(volume.used_bytes()))},
       {"clients", FormatCount(volume.sessions())},
       {"created", FormatUtc(volume.created_ns())}});
}

std::string StatusText(const proto::AdminStatusReply& status) {
  std::uint64_t up = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t capacity_bytes = 0;
  for (const proto::ServerEntry& server : status.servers()) {
    if (!server.alive()) continue;
    ++up;
    used_bytes += server.used_bytes();
    capacity_bytes += server.capacity_bytes();
  }
  std::vector<std::pair<std::string, std::string>> facts = {
      {"cluster", fmt::format("{} ({}, up {})", status.cluster_id(), status.software(), FormatAge(status.uptime_s()))},
      {"health", HealthText(AssessHealth(status))},
      {"chunkservers", fmt::format("{} of {} up", up, status.servers_size())},
      {"space", fmt::format("{} used of {} ({}), all replicas counted", FormatBytes(used_bytes),
                            FormatBytes(capacity_bytes), FormatShare(used_bytes, capacity_bytes))},
      {"placement", fmt::format("{}: {} healthy, {} writable", FormatCountOf(status.pgs(), "group"),
                                FormatCount(status.pgs_healthy()), FormatCount(status.pgs_writable()))},
      {"recovery", RecoveryText(status.recovery())},
      {"balance", BalanceText(status.balance())},
      {"clients", FormatCountOf(status.sessions(), "session")},
      {"deletions",
       status.garbage_chunks() == 0 ? "none waiting" : FormatCountOf(status.garbage_chunks(), "chunk") + " waiting"},
  };
  if (std::string scrub = ScrubText(status.servers()); !scrub.empty()) facts.emplace_back("scrub", std::move(scrub));
  std::string text = FormatFacts(facts);
  text += "\n" + VolumeTable(status.volumes());
  text += "\n" + ServerTable(status.servers());
  return text;
}

}  // namespace gabion
