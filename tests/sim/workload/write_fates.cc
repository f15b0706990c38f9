#include "tests/sim/workload/write_fates.h"

#include <algorithm>
#include <limits>

namespace gabion {
namespace {

using std::chrono::seconds;

constexpr TimePoint kForever{std::numeric_limits<std::int64_t>::max()};

// A session that lives for 10 s is renewed every 3 s or so, which may have been due.
constexpr Duration kLapsesAfter = seconds(3);
// Until a client that can be reached again has resumed its session, and has noticed what it has lost.
constexpr Duration kBackAfter = seconds(6);
// What a client knew when the servers lost their power it may show until its session would lapse.
constexpr Duration kLeasesLast = seconds(10);
// Until what was sent to a full disk has failed.
constexpr Duration kFailedAfter = seconds(3);

bool Overlaps(const std::vector<Spells::Spell>& spells, TimePoint begin, TimePoint end) {
  return begin < end && std::any_of(spells.begin(), spells.end(), [&](const Spells::Spell& spell) {
           return spell.begin < end && begin <= spell.end;
         });
}

}  // namespace

void WriteFates::Add(const RegisterOp& write, unsigned file) {
  writes_[write.value] = Write{write, file, 0, kForever, kForever};
  unsynced_[{write.client, file}].push_back(write.value);
}

void WriteFates::SetEnd(std::uint64_t value, std::optional<TimePoint> end) {
  Write& write = writes_.at(value);
  write.op.end = end;
  write.ended_as = ++ended_;
}

void WriteFates::NoteSent(std::uint64_t value) {
  Write& write = writes_.at(value);
  write.gathered_until = write.op.begin;
}

void WriteFates::NoteSynced(std::uint64_t value) {
  Write& write = writes_.at(value);
  write.gathered_until = write.unsynced_until = write.op.begin;
}

void WriteFates::NoteFileSynced(std::optional<unsigned> client, unsigned file, std::uint64_t ended_before,
                                TimePoint told) {
  for (auto& [key, values] : unsynced_) {
    if (key.second != file || key.first != client.value_or(key.first)) continue;
    std::erase_if(values, [&](std::uint64_t value) {
      Write& write = writes_.at(value);
      if (!write.op.end || write.ended_as > ended_before) return false;
      const TimePoint until = std::max(told, write.op.begin);
      write.gathered_until = std::min(write.gathered_until, until);
      write.unsynced_until = std::min(write.unsynced_until, until);
      return write.unsynced_until == write.op.begin;
    });
  }
}

std::vector<Spells::Spell> WriteFates::Absences(unsigned client) const {
  return away_.at(client).Within(kBackAfter, kLapsesAfter);
}

bool WriteFates::MayBeLostByClient(const Write& write, TimePoint from) const {
  from = std::max(from, write.op.begin);
  return Overlaps(Absences(write.op.client), from, write.gathered_until) ||
         Overlaps(no_space_.Within(kFailedAfter, Duration(0)), from, write.gathered_until);
}

bool WriteFates::MayBeLostByPower(const Write& write, TimePoint from) const {
  from = std::max(from, write.op.begin);
  return std::any_of(power_losses_.begin(), power_losses_.end(),
                     [&](TimePoint loss) { return from <= loss && loss < write.unsynced_until; });
}

WriteFates::Fate WriteFates::FateOf(std::uint64_t value) const {
  const Write& write = writes_.at(value);
  if (MayBeLostByPower(write, TimePoint{})) return Fate::kLostForAWhile;
  return MayBeLostByClient(write, TimePoint{}) ? Fate::kLostOrKept : Fate::kKept;
}

/// What another client has seen the servers have, before they lost their power if it shows it under a lease from
/// before. A client itself may show what it has sent, and is gone there.
bool WriteFates::Binds(const RegisterOp& read) const {
  const Write& write = writes_.at(read.value);
  if (read.client != write.op.client) return !MayBeLostByPower(write, read.begin - kLeasesLast);
  return write.op.end && !MayBeLostByClient(write, read.begin) && !MayBeLostByPower(write, TimePoint{});
}

}  // namespace gabion
