#include "metaserver/lease/lease_table.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/env/mutate.h"

namespace gabion {

namespace {

// Recalled at once when a session has too many: one message for all of them.
constexpr std::size_t kRecallBatch = 256;

}  // namespace

bool LeaseTable::MayGrant(SessionId session, Ino ino, TimePoint now, bool despite_contention) const {
  if (closed_ || IsWantedByOthers(session, ino)) return false;
  if (contention_.IsContended(ino, now) && !despite_contention) return false;
  auto holders = holders_.find(ino);
  if (holders != holders_.end()) {
    for (const Holder& holder : holders->second) {
      if (holder.session == session) return holder.recalled == 0;
      if (holder.mode == Mode::kWrite) return false;
    }
  }
  // A client that does not return what it is asked for gets nothing more.
  return size_ < kMaxLeases && CountOf(session) < kMaxPerSession + 4 * kRecallBatch;
}

bool LeaseTable::MayGrantWrite(SessionId session, Ino ino, bool awaited, TimePoint now) const {
  if (closed_) return false;
  if (!awaited && (wanted_.contains(ino) || contention_.IsContended(ino, now) || size_ >= kMaxLeases)) return false;
  auto holders = holders_.find(ino);
  if (holders != holders_.end() && !Mutated("lease.grant_beside_write")) {
    const Holder& holder = holders->second.front();
    if (holders->second.size() > 1 || holder.session != session) return false;
    return awaited || holder.recalled == 0;
  }
  return CountOf(session) < kMaxPerSession + 4 * kRecallBatch;
}

bool LeaseTable::IsWantedByOthers(SessionId session, Ino ino) const {
  auto want = wanted_.find(ino);
  return want != wanted_.end() && (want->second.by.size() > 1 || !want->second.by.contains(session));
}

void LeaseTable::Grant(SessionId session, Ino ino, Mode mode, std::uint64_t number, TimePoint now) {
  if (Holder* holder = Find(session, ino)) {
    holder->granted = number;
    if (mode == Mode::kWrite) holder->mode = mode;
    // Who asks for it again has not got it, for the answer was lost: it is recalled anew, or it would get nowhere.
    if (holder->recalled != 0) sessions_.at(session).recalls.erase(std::exchange(holder->recalled, 0));
    if (IsWantedByOthers(session, ino)) RecallFrom(*holder, ino, now);
    return;
  }
  Holdings& holdings = sessions_[session];
  holdings.by_age.push_back(ino);
  holders_[ino].push_back({session, mode, number, 0, std::prev(holdings.by_age.end())});
  ++size_;
  if (IsWantedByOthers(session, ino)) RecallFrom(*Find(session, ino), ino, now);
  if (holdings.by_age.size() > kMaxPerSession) RecallOldest(session, now);
  // Looked at now and then, for it takes a look at all sessions.
  if (size_ >= kMaxLeases - kMaxLeases / 8 && size_ % kRecallBatch == 0) RecallOldest(Largest(), now);
}

SessionId LeaseTable::Largest() const {
  auto largest = std::max_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
    return a.second.by_age.size() < b.second.by_age.size();
  });
  return largest->first;
}

void LeaseTable::RecallOldest(SessionId session, TimePoint now) {
  const Holdings& holdings = sessions_.at(session);
  if (holdings.recalls.size() > kRecallBatch / 2) return;  // enough are on their way
  for (Ino ino : holdings.by_age) {
    if (holdings.recalls.size() >= kRecallBatch) break;
    RecallFrom(*Find(session, ino), ino, now);
  }
}

std::vector<SessionId> LeaseTable::Holders(Ino ino) const {
  std::vector<SessionId> sessions;
  auto found = holders_.find(ino);
  if (found == holders_.end()) return sessions;
  for (const Holder& holder : found->second) sessions.push_back(holder.session);
  return sessions;
}

SessionId LeaseTable::Writer(Ino ino) const {
  auto found = holders_.find(ino);
  if (found == holders_.end() || found->second.front().mode != Mode::kWrite) return SessionId();
  return found->second.front().session;
}

std::vector<Ino> LeaseTable::WrittenBy(SessionId session) const {
  std::vector<Ino> inodes;
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return inodes;
  for (Ino ino : found->second.by_age) {
    if (Writer(ino) == session) inodes.push_back(ino);
  }
  return inodes;
}

std::size_t LeaseTable::CountOf(SessionId session) const {
  auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.by_age.size();
}

void LeaseTable::BeginWanting(SessionId own, Ino ino, Mode mode, TimePoint now) {
  ++wanted_[ino].by[own];
  if (mode == Mode::kWrite) contention_.Note(ino, now);
  auto found = holders_.find(ino);
  if (found == holders_.end()) return;
  for (Holder& holder : found->second) {
    if (holder.session != own && (mode == Mode::kWrite || holder.mode == Mode::kWrite)) RecallFrom(holder, ino, now);
  }
}

void LeaseTable::EndWanting(SessionId own, Ino ino) {
  auto found = wanted_.find(ino);
  CHECK(found != wanted_.end());
  auto by = found->second.by.find(own);
  CHECK(by != found->second.by.end());
  if (--by->second == 0) found->second.by.erase(by);
  if (found->second.by.empty()) wanted_.erase(found);
}

std::shared_ptr<AsyncEvent> LeaseTable::NextReturn(Ino ino, TimePoint until) {
  auto event = std::make_shared<AsyncEvent>();
  if (closed_) {
    event->Set();
  } else {
    wanted_.at(ino).waiting.push_back({event, until});
  }
  return event;
}

std::vector<Ino> LeaseTable::Wanted() const {
  std::vector<Ino> inodes;
  for (const auto& [ino, want] : wanted_) inodes.push_back(ino);
  return inodes;
}

void LeaseTable::RecallFrom(Holder& holder, Ino ino, TimePoint now) {
  if (holder.recalled != 0) return;
  holder.recalled = TakeNumber();
  Holdings& holdings = sessions_.at(holder.session);
  holdings.recalls.emplace(holder.recalled, Recalled{ino, now, holder.mode});
  ++recalls_total_[holder.session];
  if (holdings.next_recall) std::exchange(holdings.next_recall, nullptr)->Set();
}

std::vector<proto::Recall> LeaseTable::RecallsAfter(SessionId session, std::uint64_t number) const {
  std::vector<proto::Recall> recalls;
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return recalls;
  const auto& all = found->second.recalls;
  for (auto recalled = all.upper_bound(number); recalled != all.end(); ++recalled) {
    proto::Recall recall;
    recall.set_ino(recalled->second.ino.value());
    recall.set_number(recalled->first);
    recall.set_write(recalled->second.mode == Mode::kWrite);
    recalls.push_back(std::move(recall));
  }
  return recalls;
}

void LeaseTable::TellGranted(SessionId session, std::uint64_t wait) {
  Holdings& holdings = sessions_[session];
  holdings.granted_locks.emplace(TakeNumber(), wait);
  if (holdings.next_recall) std::exchange(holdings.next_recall, nullptr)->Set();
}

std::vector<proto::LockGrant> LeaseTable::TakeGrantsAfter(SessionId session, std::uint64_t number) {
  std::vector<proto::LockGrant> grants;
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return grants;
  auto& all = found->second.granted_locks;
  all.erase(all.begin(), all.upper_bound(number));
  for (const auto& [granted, wait] : all) {
    proto::LockGrant& grant = grants.emplace_back();
    grant.set_wait(wait);
    grant.set_number(granted);
  }
  return grants;
}

std::shared_ptr<AsyncEvent> LeaseTable::NextRecall(SessionId session, TimePoint until) {
  auto event = std::make_shared<AsyncEvent>();
  if (closed_) {
    event->Set();
    return event;
  }
  Holdings& holdings = sessions_[session];
  if (holdings.next_recall) holdings.next_recall->Set();
  holdings.next_recall = event;
  holdings.wait_until = until;
  return event;
}

void LeaseTable::EndWaits(TimePoint now) {
  for (auto& [session, holdings] : sessions_) {
    if (holdings.next_recall && now >= holdings.wait_until) std::exchange(holdings.next_recall, nullptr)->Set();
  }
  for (auto& [ino, want] : wanted_) {
    std::erase_if(want.waiting, [now](const Waiting& waiting) {
      if (now < waiting.until) return false;
      waiting.event->Set();
      return true;
    });
  }
}

bool LeaseTable::IsOverdue(SessionId session, TimePoint before) const {
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  const auto& recalls = found->second.recalls;
  return std::any_of(recalls.begin(), recalls.end(), [before](const auto& entry) {
    return entry.second.mode == Mode::kRead && entry.second.at <= before;
  });
}

std::optional<LeaseTable::Outstanding> LeaseTable::OldestRecall() const {
  std::optional<Outstanding> oldest;
  for (const auto& [session, holdings] : sessions_) {
    if (holdings.recalls.empty()) continue;
    const Recalled& first = holdings.recalls.begin()->second;
    if (!oldest || first.at < oldest->since) oldest = Outstanding{session, first.ino, first.at, first.mode};
  }
  return oldest;
}

std::vector<LeaseTable::Outstanding> LeaseTable::OldestRecalls(SessionId session, std::size_t max_count) const {
  std::vector<Outstanding> oldest;
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return oldest;
  for (const auto& [number, recalled] : found->second.recalls) {
    if (oldest.size() == max_count) break;
    oldest.push_back({session, recalled.ino, recalled.at, recalled.mode});
  }
  return oldest;
}

std::size_t LeaseTable::RecallCountOf(SessionId session) const {
  auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.recalls.size();
}

std::uint64_t LeaseTable::RecallsTotalOf(SessionId session) const {
  auto found = recalls_total_.find(session);
  return found == recalls_total_.end() ? 0 : found->second;
}

void LeaseTable::Return(SessionId session, Ino ino, std::uint64_t number) {
  Holder* holder = Find(session, ino);
  if (holder == nullptr || holder->granted > number) return;
  Remove(session, ino);
}

void LeaseTable::Downgrade(SessionId session, Ino ino, std::uint64_t number) {
  Holder* holder = Find(session, ino);
  if (holder == nullptr || holder->granted > number) return;
  holder->mode = Mode::kRead;
  if (holder->recalled != 0) sessions_.at(session).recalls.at(holder->recalled).mode = Mode::kRead;
  WakeWaiting(ino);
}

void LeaseTable::Drop(SessionId session) {
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  while (!found->second.by_age.empty()) Remove(session, found->second.by_age.front());
  if (found->second.next_recall) std::exchange(found->second.next_recall, nullptr)->Set();
  if (found->second.granted_locks.empty()) sessions_.erase(found);
}

void LeaseTable::DropReads(SessionId session) {
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const std::vector<Ino> all(found->second.by_age.begin(), found->second.by_age.end());
  for (Ino ino : all) {
    if (Find(session, ino)->mode == Mode::kRead) Remove(session, ino);
  }
}

void LeaseTable::ForgetGrants(SessionId session) {
  auto found = sessions_.find(session);
  if (found != sessions_.end()) found->second.granted_locks.clear();
}

void LeaseTable::End(SessionId session) {
  ForgetGrants(session);
  Drop(session);
  recalls_total_.erase(session);
}

void LeaseTable::Close() {
  closed_ = true;
  for (auto& [session, holdings] : sessions_) {
    if (holdings.next_recall) std::exchange(holdings.next_recall, nullptr)->Set();
  }
  WakeAllWaiting();
}

void LeaseTable::WakeAllWaiting() {
  for (Ino ino : Wanted()) WakeWaiting(ino);
}

LeaseTable::Holder* LeaseTable::Find(SessionId session, Ino ino) {
  auto found = holders_.find(ino);
  if (found == holders_.end()) return nullptr;
  for (Holder& holder : found->second) {
    if (holder.session == session) return &holder;
  }
  return nullptr;
}

void LeaseTable::Remove(SessionId session, Ino ino) {
  std::vector<Holder>& holders = holders_.at(ino);
  auto holder = std::find_if(holders.begin(), holders.end(), [&](const Holder& one) { return one.session == session; });
  CHECK(holder != holders.end());
  Holdings& holdings = sessions_.at(session);
  holdings.by_age.erase(holder->by_age);
  if (holder->recalled != 0) holdings.recalls.erase(holder->recalled);
  holders.erase(holder);
  const std::size_t left = holders.size();
  if (left == 0) holders_.erase(ino);
  --size_;
  if (left <= 1) WakeWaiting(ino);  // the one may be who waits
}

void LeaseTable::WakeWaiting(Ino ino) {
  auto want = wanted_.find(ino);
  if (want == wanted_.end()) return;
  for (const Waiting& waiting : std::exchange(want->second.waiting, {})) waiting.event->Set();
}

}  // namespace gabion
