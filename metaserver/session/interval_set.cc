#include "metaserver/session/interval_set.h"

#include <iterator>

#include "common/base/check.h"

namespace gabion {

bool IntervalSet::Contains(std::uint64_t value) const {
  auto after = runs_.upper_bound(value);
  return after != runs_.begin() && std::prev(after)->second >= value;
}

void IntervalSet::Insert(std::uint64_t value) {
  auto after = runs_.upper_bound(value);
  const bool joins_after = after != runs_.end() && after->first - 1 == value;
  if (after != runs_.begin()) {
    auto before = std::prev(after);
    if (before->second >= value) return;
    if (before->second + 1 == value) {
      before->second = joins_after ? after->second : value;
      if (joins_after) runs_.erase(after);
      return;
    }
  }
  const std::uint64_t last = joins_after ? after->second : value;
  if (joins_after) runs_.erase(after);
  runs_.emplace(value, last);
}

std::optional<std::uint64_t> IntervalSet::NextFrom(std::uint64_t value) const {
  if (Contains(value)) return value;
  auto after = runs_.upper_bound(value);
  if (after == runs_.end()) return std::nullopt;
  return after->first;
}

void IntervalSet::RemoveMin() {
  CHECK(!runs_.empty());
  RemoveBelow(runs_.begin()->first + 1);
}

void IntervalSet::RemoveBelow(std::uint64_t limit) {
  while (!runs_.empty() && runs_.begin()->first < limit) {
    const std::uint64_t last = runs_.begin()->second;
    runs_.erase(runs_.begin());
    if (last >= limit) runs_.emplace(limit, last);
  }
}

}  // namespace gabion
