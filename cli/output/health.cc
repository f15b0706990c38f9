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

}  // namespace

Health AssessHealth(const proto::AdminStatusReply& status) {
  Assessment assessment;
  const auto down = static_cast<std::uint64_t>(std::count_if(status.servers().begin(), status.servers().end(),
                                                             [](const auto& server) { return !server.alive(); }));
  const auto total = static_cast<std::uint64_t>(status.servers_size());
  if (total == 0) assessment.Note(HealthLevel::kFailing, "no chunkserver has registered");
  if (down > 0) {
    assessment.Note(HealthLevel::kDegraded,
                    fmt::format("{} of {} down", FormatCount(down), FormatCountOf(total, "chunkserver")));
  }
  std::uint64_t failed_disks = 0;
  for (const proto::ServerEntry& server : status.servers()) failed_disks += server.disks_failed();
  if (failed_disks > 0) assessment.Note(HealthLevel::kDegraded, FormatCountOf(failed_disks, "disk") + " failed");
  if (status.pgs_writable() < status.pgs()) {
    assessment.Note(HealthLevel::kFailing, fmt::format("writes to {} of {} wait for a chunkserver",
                                                       FormatCount(status.pgs() - status.pgs_writable()),
                                                       FormatCountOf(status.pgs(), "placement group")));
  }
  if (status.pgs_healthy() < status.pgs()) {
    assessment.Note(HealthLevel::kDegraded,
                    fmt::format("{} of {} lack a live replica", FormatCount(status.pgs() - status.pgs_healthy()),
                                FormatCountOf(status.pgs(), "placement group")));
  }
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
