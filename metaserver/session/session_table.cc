#include "metaserver/session/session_table.h"

#include <algorithm>

#include "common/base/check.h"

namespace gabion {

Session* SessionTable::Find(SessionId id) {
  auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

const Session* SessionTable::Find(SessionId id) const {
  auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

void SessionTable::Add(Session session) {
  const SessionId id = session.id;
  CHECK(session.handles.empty());
  if (!session.resumed) ++unresumed_;
  CHECK(sessions_.emplace(id, std::move(session)).second);
}

std::vector<Ino> SessionTable::Remove(SessionId id) {
  std::vector<Ino> closed;
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return closed;
  for (const auto& [ino, count] : found->second.open_counts) {
    auto total = open_counts_.find(ino);
    CHECK(total != open_counts_.end() && total->second >= count);
    total->second -= count;
    if (total->second == 0) {
      open_counts_.erase(total);
      closed.push_back(ino);
    }
  }
  if (!found->second.resumed) --unresumed_;
  sessions_.erase(found);
  std::sort(closed.begin(), closed.end());
  return closed;
}

void SessionTable::OpenHandle(Session& session, HandleId handle, Ino ino) {
  auto [position, is_new] = session.handles.emplace(handle, ino);
  CHECK(position->second == ino);
  if (!is_new) return;
  ++session.open_counts[ino];
  ++open_counts_[ino];
}

std::optional<Ino> SessionTable::CloseHandle(Session& session, HandleId handle) {
  auto found = session.handles.find(handle);
  if (found == session.handles.end()) return std::nullopt;
  const Ino ino = found->second;
  session.handles.erase(found);
  auto own = session.open_counts.find(ino);
  if (--own->second == 0) session.open_counts.erase(own);
  auto total = open_counts_.find(ino);
  if (--total->second != 0) return std::nullopt;
  open_counts_.erase(total);
  return ino;
}

std::uint32_t SessionTable::OpenCount(Ino ino) const {
  auto found = open_counts_.find(ino);
  return found == open_counts_.end() ? 0 : found->second;
}

void SessionTable::MarkResumed(Session& session) {
  if (session.resumed) return;
  session.resumed = true;
  --unresumed_;
}

bool SessionTable::awaiting_holders() const {
  return unresumed_ > 0 && std::any_of(sessions_.begin(), sessions_.end(),
                                       [](const auto& session) { return session.second.MayReclaim(); });
}

void SessionTable::ExtendAll(Duration late) {
  for (auto& [id, session] : sessions_) {
    session.renewed = session.renewed + late;
    session.reads_renewed = session.reads_renewed + late;
    session.last_heard = session.last_heard + late;
  }
}

std::vector<SessionId> SessionTable::HeardBefore(TimePoint limit) const {
  std::vector<SessionId> ids;
  for (const auto& [id, session] : sessions_) {
    if (session.last_heard < limit) ids.push_back(id);
  }
  return ids;
}

}  // namespace gabion
