#include "tests/sim/coverage.h"

#include <fmt/format.h>

#include "common/base/check.h"

namespace gabion {
namespace {

/// Every point of production code, and of the kernel above it: what is not here was never thought of, what is never
/// reached is here in vain.
constexpr std::string_view kRarePaths[] = {
    "chunk.clear_early",     "chunk.give_up_member", "chunk.late_heartbeat",    "chunk.short_garbage",
    "chunk.short_join_list", "chunk.short_list",     "chunk.short_member_list", "chunk.slow_apply",
    "chunk.slow_forward",    "chunk.slow_join",      "chunk.slow_read",         "chunk.slow_settle",
    "client.commit_early",   "client.flush_early",   "client.give_up_data",     "client.give_up_meta",
    "client.hedge_at_once",  "client.late_answer",   "client.late_map",         "client.late_renewal",
    "client.old_map",        "client.other_copy",    "client.short_page",       "client.slow_return",
    "kernel.drop_inode",     "kernel.late_drop",     "kernel.late_entry",       "meta.slow_heartbeat",
    "meta.slow_sync",
};

}  // namespace

Coverage::Coverage() {
  for (const std::string_view point : kRarePaths) rare_[point];
}

void Coverage::Add(const SimRunOutcome& outcome) {
  for (const auto& [fault, count] : outcome.faults) faults_[fault] += count;
  for (const auto& [point, count] : outcome.rare) {
    const auto known = rare_.find(point);
    CHECK(known != rare_.end());
    known->second.reached += count.reached;
    known->second.fired += count.fired;
  }
}

std::string Coverage::Report() const {
  std::string report;
  for (const auto& [fault, count] : faults_) report += fmt::format("fault {:24} struck {}\n", fault, count);
  std::string never;
  for (const auto& [point, count] : rare_) {
    report += fmt::format("rare path {:24} reached {}, taken {}\n", point, count.reached, count.fired);
    if (count.reached == 0) never += fmt::format(" {}", point);
  }
  return report + fmt::format("never reached:{}\n", never.empty() ? " nothing" : never);
}

}  // namespace gabion
