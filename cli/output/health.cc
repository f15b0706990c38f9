#include "cli/output/health.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "cli/output/format.h"

namespace gabion {
namespace {

class Assessment {
 public:
  void Note(HealthLevel level, std::string reason) {
    health_.level = std::max(health_.level, level);
    health_.reasons.push_back(std::move(reason));
  }
  Health Take() && { return std::move(health_); }

 private:
  Health health_;
};

std::string NumbersOf(const google::protobuf::RepeatedField<std::uint32_t>& servers) {
  constexpr int kMaxNamed = 4;
  std::string text = servers.size() == 1 ? "chunkserver" : "chunkservers";
  for (int i = 0; i < std::min(servers.size(), kMaxNamed); ++i)
    text += fmt::format("{} {}", i == 0 ? "" : ",", servers.Get(i));
  return servers.size() > kMaxNamed ? text + " and others" : text;
}

/// What can be done, for the groups that have the fewest copies.
std::string Remedy(const proto::RecoveryStatus& recovery) {
  std::string rebuild;
  if (recovery.joiners() > 0 && recovery.fewest_copies() > 0) {
    rebuild = recovery.bytes_left() > 0
                  ? fmt::format("wait for the rebuild ({} left)", FormatBytes(recovery.bytes_left()))
                  : "wait for the rebuild";
  }
  if (recovery.missing_servers().empty()) return rebuild.empty() ? "add a chunkserver with room" : rebuild;
  const std::string back = fmt::format("bring {} back", NumbersOf(recovery.missing_servers()));
  return rebuild.empty() ? back : back + ", or " + rebuild;
}

void NoteCopies(const proto::RecoveryStatus& recovery, Assessment& assessment) {
  if (recovery.pgs_degraded() == 0) return;
  const std::string groups = FormatCountOf(recovery.pgs_with_fewest(), "placement group");
  const char* verb = recovery.pgs_with_fewest() == 1 ? "has" : "have";
  const std::string copies = recovery.fewest_copies() == 0 ? "no copy in sync that can be reached"
                             : recovery.fewest_copies() == 1
                                 ? "one copy left in sync"
                                 : fmt::format("{} copies left in sync", recovery.fewest_copies());
  assessment.Note(recovery.fewest_copies() == 0 ? HealthLevel::kFailing : HealthLevel::kDegraded,
                  fmt::format("{} {} {}: {}", groups, verb, copies, Remedy(recovery)));
}

/// Down, and nobody has said that it would be.
bool IsMissed(const proto::ServerEntry& server) {
  return !server.alive() && !server.lost_store() && server.maintenance_until_ns() == 0;
}

void NoteLostStores(const proto::AdminStatusReply& status, Assessment& assessment) {
  for (const proto::ServerEntry& server : status.servers()) {
    if (!server.lost_store()) continue;
    assessment.Note(HealthLevel::kDegraded,
                    fmt::format("chunkserver {} has lost a store and begins afresh when other copies of all it had are "
                                "in sync and up",
                                server.server_id()));
  }
}

void NoteMaintenance(const proto::AdminStatusReply& status, Assessment& assessment) {
  for (const proto::ServerEntry& server : status.servers()) {
    if (server.maintenance_until_ns() == 0) continue;
    assessment.Note(HealthLevel::kDegraded,
                    fmt::format("chunkserver {} is {}in maintenance until {}", server.server_id(),
                                server.alive() ? "" : "down, ", FormatUtc(server.maintenance_until_ns())));
  }
}

}  // namespace

Health AssessHealth(const proto::AdminStatusReply& status) {
  Assessment assessment;
  const auto down = static_cast<std::uint64_t>(std::count_if(status.servers().begin(), status.servers().end(),
                                                             [](const auto& server) { return IsMissed(server); }));
  const auto total = static_cast<std::uint64_t>(status.servers_size());
  if (total == 0) assessment.Note(HealthLevel::kFailing, "no chunkserver has registered");
  if (down > 0) {
    assessment.Note(HealthLevel::kDegraded,
                    fmt::format("{} of {} down", FormatCount(down), FormatCountOf(total, "chunkserver")));
  }
  NoteLostStores(status, assessment);
  NoteMaintenance(status, assessment);
  std::uint64_t failed_disks = 0;
  for (const proto::ServerEntry& server : status.servers()) failed_disks += server.disks_failed();
  if (failed_disks > 0) assessment.Note(HealthLevel::kDegraded, FormatCountOf(failed_disks, "disk") + " failed");
  std::uint64_t failed_chunks = 0;
  for (const proto::ServerEntry& server : status.servers()) failed_chunks += server.scrub().failed_chunks();
  if (failed_chunks > 0) {
    assessment.Note(HealthLevel::kDegraded,
                    fmt::format("scrub found {} with a copy that could not be read or repaired: see gabion events",
                                FormatCountOf(failed_chunks, "chunk")));
  }
  if (status.pgs_writable() < status.pgs()) {
    assessment.Note(HealthLevel::kFailing, fmt::format("writes to {} of {} wait for a chunkserver",
                                                       FormatCount(status.pgs() - status.pgs_writable()),
                                                       FormatCountOf(status.pgs(), "placement group")));
  }
  NoteCopies(status.recovery(), assessment);
  return std::move(assessment).Take();
}

std::string_view ToString(HealthLevel level) {
  switch (level) {
    case HealthLevel::kOk:
      return "ok";
    case HealthLevel::kDegraded:
      return "degraded";
    case HealthLevel::kFailing:
      return "failing";
  }
  return "unknown";
}

}  // namespace gabion
