#include "tests/sim/workload/register_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace gabion {
namespace {

constexpr TimePoint kNever{std::numeric_limits<std::int64_t>::max()};

double Seconds(TimePoint when) {
  return static_cast<double>(when.ns) / 1e9;
}

std::string Describe(const RegisterOp& op) {
  const std::string end = op.end ? fmt::format("{:.6f}", Seconds(*op.end)) : "never";
  return fmt::format("client{} {} {:x} from {:.6f} to {}", op.client + 1, op.is_write ? "writes" : "reads", op.value,
                     Seconds(op.begin), end);
}

}  // namespace

std::map<std::uint64_t, RegisterHistory::Zone> RegisterHistory::Zones() const {
  std::map<std::uint64_t, Zone> zones;
  for (const RegisterOp& op : ops_) {
    const TimePoint end = op.end.value_or(kNever);
    const auto [found, is_new] = zones.try_emplace(op.value, Zone{end, op.begin, std::nullopt, {}});
    Zone& zone = found->second;
    zone.first_end = std::min(zone.first_end, end);
    zone.last_begin = std::max(zone.last_begin, op.begin);
    if (op.is_write) zone.write_begin = op.begin;
    zone.ops.push_back(&op);
  }
  return zones;
}

std::string RegisterHistory::Describe(std::string_view why, const Zone& zone, const Zone& other) {
  std::vector<const RegisterOp*> ops = zone.ops;
  if (&other != &zone) ops.insert(ops.end(), other.ops.begin(), other.ops.end());
  std::stable_sort(ops.begin(), ops.end(), [](const auto* a, const auto* b) { return a->begin < b->begin; });
  std::string text(why);
  for (const RegisterOp* op : ops) text += "\n    " + gabion::Describe(*op);
  return text;
}

std::string RegisterHistory::Check() const {
  const std::map<std::uint64_t, Zone> zones = Zones();
  std::vector<const Zone*> forward;
  for (const auto& [value, zone] : zones) {
    if (!zone.write_begin || zone.first_end < *zone.write_begin) {
      return Describe("a read gives what nobody has begun to write", zone, zone);
    }
    if (zone.is_forward()) forward.push_back(&zone);
  }
  std::sort(forward.begin(), forward.end(), [](const Zone* a, const Zone* b) { return a->first_end < b->first_end; });
  for (std::size_t i = 1; i < forward.size(); ++i) {
    if (forward[i]->first_end < forward[i - 1]->last_begin) {
      return Describe("an overwritten value comes back", *forward[i - 1], *forward[i]);
    }
  }
  for (const auto& [value, zone] : zones) {
    if (zone.is_forward()) continue;
    // Forward zones do not overlap, so only the last one that begins before can hold this one.
    auto holder = std::lower_bound(forward.begin(), forward.end(), zone.last_begin,
                                   [](const Zone* a, TimePoint when) { return a->first_end < when; });
    if (holder == forward.begin()) continue;
    const Zone& before = **std::prev(holder);
    if (zone.first_end < before.last_begin) return Describe("a stale value is read", before, zone);
  }
  return {};
}

}  // namespace gabion
