#include "metaserver/volume/volume.h"

// What becomes of the locks that ops ask for (docs/locks.md).

namespace gabion {

void Volume::ApplyLock(const OpEffects::LockChange& change, TimePoint now) {
  using Kind = OpEffects::LockChange::Kind;
  LockTable& locks = state_.locks;
  const RangeLock& lock = change.lock;
  switch (change.kind) {
    case Kind::kSet:
      locks.Set(change.ino, lock);
      break;
    case Kind::kClear:
      locks.Clear(change.ino, lock.owner, lock.begin, lock.last);
      break;
    case Kind::kWait:
      // Of flock's locks the old one goes before the new one comes (flock(2)): two who want more do not wait for each
      // other.
      if (lock.owner.kind == LockKind::kFlock) locks.Clear(change.ino, lock.owner, 0, RangeLock::kLastByte);
      locks.Wait(change.ino, lock, change.wait, now);
      break;
    case Kind::kCancel:
      locks.Cancel(SessionId(lock.owner.session), change.wait);
      break;
    case Kind::kRefused:
      locks.NoteRefusal(SessionId(lock.owner.session));
      break;
  }
  GrantLocks();
}

void Volume::GrantLocks() {
  if (state_.sessions.awaiting_locks()) return;
  for (const LockTable::Granted& granted : state_.locks.Grant()) {
    state_.leases.TellGranted(granted.session, granted.wait);
  }
}

void Volume::ExtendSessions(Duration late) {
  const std::lock_guard lock(mutex_);
  state_.sessions.ExtendAll(late);
  if (!state_.grace_over) state_.grace_end = state_.grace_end + late;
}

std::vector<SessionId> Volume::FindLapsedHolders(TimePoint now) {
  const std::lock_guard lock(mutex_);
  std::set<SessionId> holders = state_.locks.TakeWanted();
  for (const auto& [id, session] : state_.sessions.all()) {
    if (session.MayNameLocks()) holders.insert(id);  // nobody gets any lock until it does, or has lost them
  }
  std::erase_if(holders, [&](SessionId id) { return !HasLapsed(id, now); });
  return {holders.begin(), holders.end()};
}

Task<Result<bool>> Volume::TakeLocksFrom(SessionId id, Env& env) {
  // First of all it is written down: were it forgotten, the session might name its locks to another process, and get
  // them back from those who have them by then.
  bool lapsed = false;
  Decision decide = [this, id, &lapsed](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    lapsed = session != nullptr && HasLapsed(id, context.now);
    if (!lapsed) return {};
    records::Session record = session->ToRecord();
    record.set_locks_lost(true);
    txn.PutSession(id, record);
    return {};
  };
  Publish publish = [id, &lapsed](VolumeState& state) {
    if (lapsed) state.sessions.Find(id)->locks_lost = state.sessions.Find(id)->loss_recorded = true;
  };
  Result<void> noted = co_await Run(std::move(decide), std::move(publish), env);
  CO_TRY(noted);
  if (!lapsed) co_return false;
  Result<void> durable = co_await cluster_.MakeDurable();
  CO_TRY(durable);
  const std::lock_guard lock(mutex_);
  const Session* session = state_.sessions.Find(id);
  // Otherwise it was resumed since, and told that it still has them.
  if (session != nullptr && session->locks_lost) {
    state_.locks.Drop(id);
    state_.leases.ForgetGrants(id);
  }
  GrantLocks();
  co_return true;
}

std::vector<SessionId> Volume::FindHeardLosses() {
  const std::lock_guard lock(mutex_);
  std::vector<SessionId> heard;
  for (const auto& [id, session] : state_.sessions.all()) {
    if (session.loss_recorded && !session.locks_lost && session.loss_heard) heard.push_back(id);
  }
  return heard;
}

Task<Result<void>> Volume::ForgetLoss(SessionId id, Env& env) {
  bool heard = false;
  Decision decide = [id, &heard](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    heard = session != nullptr && !session->locks_lost && session->loss_heard;
    if (!heard) return {};
    records::Session record = session->ToRecord();
    record.set_locks_lost(false);
    txn.PutSession(id, record);
    return {};
  };
  Publish publish = [id, &heard](VolumeState& state) {
    if (heard) state.sessions.Find(id)->loss_recorded = false;
  };
  Result<void> forgotten = co_await Run(std::move(decide), std::move(publish), env);
  co_return forgotten;
}

void Volume::TendLocks(TimePoint now) {
  const std::lock_guard lock(mutex_);
  state_.locks.EndQueueing(now);
  GrantLocks();
}

}  // namespace gabion
