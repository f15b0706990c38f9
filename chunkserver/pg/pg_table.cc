#include "chunkserver/pg/pg_table.h"

#include <algorithm>

#include "common/base/check.h"

namespace gabion {

const PgTable::Group* PgTable::FindLocked(PgId pg) const {
  auto found = groups_.find(pg);
  return found == groups_.end() ? nullptr : &found->second;
}

PgTable::Change PgTable::BeginChange(PgId pg, ChunkId chunk, bool as_primary) {
  std::lock_guard lock(mutex_);
  Group& group = groups_[pg];
  ++group.changes[chunk];
  if (as_primary) group.touched.insert(chunk);
  return Change(this, pg, chunk);
}

void PgTable::EndChange(PgId pg, ChunkId chunk) {
  std::lock_guard lock(mutex_);
  std::map<ChunkId, unsigned>& changes = groups_.at(pg).changes;
  auto found = changes.find(chunk);
  CHECK(found != changes.end());
  if (--found->second == 0) changes.erase(found);
}

std::vector<ChunkId> PgTable::ChangesOf(PgId pg) const {
  std::lock_guard lock(mutex_);
  std::vector<ChunkId> chunks;
  if (const Group* group = FindLocked(pg)) {
    for (const auto& [chunk, count] : group->changes) chunks.push_back(chunk);
  }
  return chunks;
}

bool PgTable::IsChanging(PgId pg, ChunkId chunk) const {
  std::lock_guard lock(mutex_);
  const Group* group = FindLocked(pg);
  return group != nullptr && group->changes.contains(chunk);
}

std::vector<ChunkId> PgTable::TakeTouched(PgId pg) {
  std::lock_guard lock(mutex_);
  std::set<ChunkId> touched = std::exchange(groups_[pg].touched, {});
  return {touched.begin(), touched.end()};
}

bool PgTable::WasTouched(PgId pg, ChunkId chunk) const {
  std::lock_guard lock(mutex_);
  const Group* group = FindLocked(pg);
  return group != nullptr && group->touched.contains(chunk);
}

void PgTable::SetSettled(PgId pg, Epoch epoch) {
  std::lock_guard lock(mutex_);
  Group& group = groups_[pg];
  if (epoch > group.released) group.settled = epoch;
}

bool PgTable::IsSettled(PgId pg, Epoch epoch) const {
  std::lock_guard lock(mutex_);
  const Group* group = FindLocked(pg);
  return group != nullptr && group->settled == epoch;
}

void PgTable::SetReleased(PgId pg, Epoch epoch) {
  std::lock_guard lock(mutex_);
  Group& group = groups_[pg];
  group.released = epoch;
  if (group.settled <= epoch) group.settled = Epoch();
  if (group.serves <= epoch) group.serves = Epoch();
}

bool PgTable::IsReleased(PgId pg, Epoch epoch) const {
  std::lock_guard lock(mutex_);
  const Group* group = FindLocked(pg);
  return group != nullptr && epoch <= group->released;
}

std::vector<PgTable::Release> PgTable::Releases() const {
  std::lock_guard lock(mutex_);
  std::vector<Release> releases;
  for (const auto& [pg, group] : groups_) {
    if (group.released) releases.push_back({pg, group.released});
  }
  return releases;
}

void PgTable::ForgetRelease(PgId pg) {
  std::lock_guard lock(mutex_);
  groups_[pg].released = Epoch();
}

std::uint64_t PgTable::BeginSettling(PgId pg) {
  std::lock_guard lock(mutex_);
  Group& group = groups_[pg];
  group.serves = Epoch();
  return ++group.turn;
}

bool PgTable::EndSettling(PgId pg, Epoch epoch, std::uint64_t turn) {
  std::lock_guard lock(mutex_);
  Group& group = groups_[pg];
  if (group.turn != turn || epoch <= group.released) return false;
  group.serves = epoch;
  group.waits_for_space = Epoch();
  return true;
}

void PgTable::NoteSettlingFailed(PgId pg, Epoch epoch, bool full) {
  std::lock_guard lock(mutex_);
  groups_[pg].waits_for_space = full ? epoch : Epoch();
}

bool PgTable::WaitsForSpace(PgId pg, Epoch epoch) const {
  std::lock_guard lock(mutex_);
  const Group* group = FindLocked(pg);
  return group != nullptr && group->waits_for_space == epoch;
}

bool PgTable::Serves(PgId pg, Epoch epoch) const {
  std::lock_guard lock(mutex_);
  const Group* group = FindLocked(pg);
  return group != nullptr && group->serves == epoch;
}

void PgTable::NoteFull(PgId pg, Epoch epoch, ServerId member, TimePoint now) {
  std::lock_guard lock(mutex_);
  Group& group = groups_[pg];
  if (group.full_epoch != epoch) group.full.clear();
  group.full_epoch = epoch;
  group.full[member] = now;
}

bool PgTable::HasFullMember(PgId pg, Epoch epoch, TimePoint after) const {
  std::lock_guard lock(mutex_);
  const Group* group = FindLocked(pg);
  return group != nullptr && group->full_epoch == epoch &&
         std::any_of(group->full.begin(), group->full.end(),
                     [after](const auto& entry) { return entry.second > after; });
}

std::vector<PgTable::Full> PgTable::FullMembers(TimePoint after) const {
  std::lock_guard lock(mutex_);
  std::vector<Full> members;
  for (const auto& [pg, group] : groups_) {
    for (const auto& [member, noted] : group.full) {
      if (noted > after) members.push_back({pg, group.full_epoch, member});
    }
  }
  return members;
}

void PgTable::Fail(PgId pg, Epoch epoch) {
  {
    std::lock_guard lock(mutex_);
    Group& group = groups_[pg];
    if (group.serves != epoch) return;  // it has been noticed, or is a thing of the past
    group.serves = Epoch();
    ++group.turn;
  }
  on_failed_(pg);
}

}  // namespace gabion
