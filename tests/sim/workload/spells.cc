#include "tests/sim/workload/spells.h"

#include <limits>

#include "common/base/check.h"

namespace gabion {
namespace {

constexpr TimePoint kNotYet{std::numeric_limits<std::int64_t>::max()};

}  // namespace

void Spells::Begin(TimePoint now) {
  if (under_way_++ == 0) spells_.push_back({now, kNotYet});
}

void Spells::End(TimePoint now) {
  CHECK(under_way_ > 0);
  if (--under_way_ == 0) spells_.back().end = now;
}

std::vector<Spells::Spell> Spells::Within(Duration slack, Duration least) const {
  std::vector<Spell> within;
  Duration lasted(0);
  for (std::size_t i = 0; i < spells_.size(); ++i) {
    const Spell& spell = spells_[i];
    const bool is_open = spell.end == kNotYet;
    const TimePoint end = is_open ? kNotYet : spell.end + slack;
    if (within.empty() || within.back().end < spell.begin) {
      if (!within.empty() && lasted < least) within.pop_back();
      within.push_back({spell.begin, end});
      lasted = Duration(0);
    }
    within.back().end = end;
    lasted += is_open ? least : spell.end - spell.begin;
  }
  if (!within.empty() && lasted < least) within.pop_back();
  return within;
}

}  // namespace gabion
