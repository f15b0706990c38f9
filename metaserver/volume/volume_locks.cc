#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "common/env/mutate.h"
#include "metaserver/volume/volume.h"

// What becomes of the locks that ops ask for (docs/locks.md), and of sessions that lapse with what others want.

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
  if (state_.sessions.awaiting_holders()) return;
  for (const LockTable::Granted& granted : state_.locks.Grant()) {
    state_.leases.TellGranted(granted.session, granted.wait);
  }
}

void Volume::ExtendSessions(Duration late) {
  const std::lock_guard lock(mutex_);
  state_.sessions.ExtendAll(late);
}

std::vector<SessionId> Volume::FindLapsedHolders(TimePoint now) {
  const std::lock_guard lock(mutex_);
  std::set<SessionId> holders = state_.locks.TakeWanted();
  for (Ino ino : state_.leases.Wanted()) {
    if (const SessionId writer = state_.leases.Writer(ino)) holders.insert(writer);
  }
  for (const auto& [id, session] : state_.sessions.all()) {
    // Until it does, or has lost it, nobody gets anything.
    if (session.MayReclaim() || session.evict_requested) holders.insert(id);
  }
  std::erase_if(holders, [&](SessionId id) { return !HasLapsed(id, now); });
  return {holders.begin(), holders.end()};
}

Task<Result<bool>> Volume::FenceLapsed(SessionId id, Env& env) {
  // Written down first: a chunkserver that was told of a number that is then forgotten would refuse what the client
  // sends under it.
  std::uint32_t evictions = 0;  // none: it has not lapsed
  Decision decide = [this, id, &evictions](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    evictions = 0;
    context.waits = false;
    if (session == nullptr || !HasLapsed(id, context.now)) return {};
    evictions = session->evictions + 1;
    records::Session record = session->ToRecord();
    record.set_evictions(evictions);
    txn.PutSession(id, record);
    return {};
  };
  Publish publish = [id, &evictions](VolumeState& state) {
    if (evictions == 0) return;
    Session* session = state.sessions.Find(id);
    session->evictions = evictions;
    session->must_resume = true;  // and hears of the number
  };
  Result<void> noted = co_await Run(std::move(decide), std::move(publish), env);
  CO_TRY(noted);
  if (evictions == 0) co_return false;
  Result<void> durable = co_await cluster_.MakeDurable();
  CO_TRY(durable);
  Result<void> fenced = co_await cluster_.FenceSession(id, evictions, env);
  CO_TRY(fenced);
  co_return true;
}

Task<Result<bool>> Volume::Evict(SessionId id, Env& env) {
  Result<bool> fenced = co_await FenceLapsed(id, env);
  CO_TRY(fenced);
  if (!*fenced) co_return false;
  // Nothing of it arrives any more: what has shows from now on, though it may keep its leases yet.
  if (!Mutated("lease.no_mark_written")) {
    Result<void> marked = co_await MarkWritten(id, env);
    CO_TRY(marked);
  }
  // Before anything is taken from it that is written down: were it forgotten, the session might name what it held to
  // another process, and get it back from those who have it by then. Not before it is fenced: another process would
  // not do it again.
  bool lapsed = false;
  Decision decide = [this, id, &lapsed](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    context.waits = false;
    // A client that has resumed it since may have sent more, under the new number.
    lapsed = session != nullptr && HasLapsed(id, context.now) && session->must_resume;
    if (!lapsed) return {};
    records::Session record = session->ToRecord();
    record.set_evicted(!Mutated("lease.forget_eviction"));
    record.set_evict_requested(false);
    txn.PutSession(id, record);
    return {};
  };
  Publish publish = [id, &lapsed](VolumeState& state) {
    if (!lapsed) return;
    Session& session = *state.sessions.Find(id);
    session.evicted = session.loss_recorded = session.barred = true;
  };
  Result<void> noted = co_await Run(std::move(decide), std::move(publish), env);
  CO_TRY(noted);
  if (!lapsed) co_return false;
  Result<void> durable = co_await cluster_.MakeDurable();
  CO_TRY(durable);
  const std::lock_guard lock(mutex_);
  Session* session = state_.sessions.Find(id);
  // Otherwise it was resumed since, and told that it still has them.
  if (session != nullptr && session->evicted) {
    session->evict_requested = false;
    state_.locks.Drop(id);
    state_.leases.ForgetGrants(id);
    state_.leases.Drop(id);
  }
  GrantLocks();
  co_return true;
}

/// What the session holds ends as if its client were away: by the client's own clock, which no renewal goes on from. To
/// take it at once would let the client show, and take in, what is another's by then, until it hears of it. That it
/// cannot resume the session meanwhile keeps it from beginning anew under leases that this would have to wait for
/// again.
Task<Result<void>> Volume::RequestEviction(SessionId id, Env& env) {
  bool requested = false;
  Decision decide = [this, id, &requested](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    context.waits = false;
    if (session == nullptr)
      return Error(ErrorCode::kNotFound, fmt::format("volume '{}' has no session {}", name_, id.value()));
    requested = !session->evicted;  // else it has nothing left
    if (!requested) return {};
    records::Session record = session->ToRecord();
    record.set_evict_requested(true);
    txn.PutSession(id, record);
    return {};
  };
  Publish publish = [id, &requested](VolumeState& state) {
    if (!requested) return;
    Session& session = *state.sessions.Find(id);
    session.evict_requested = session.must_resume = true;
  };
  Result<void> noted = co_await Run(std::move(decide), std::move(publish), env);
  CO_TRY(noted);
  co_return co_await cluster_.MakeDurable();
}

Task<Result<void>> Volume::MarkWritten(SessionId id, Env& env) {
  std::vector<Ino> written = WithState([id](VolumeState& state) { return state.leases.WrittenBy(id); });
  while (!written.empty()) {
    const std::size_t count = std::min<std::size_t>(written.size(), kMarkedAtOnce);
    const std::span<const Ino> batch(written.end() - static_cast<std::ptrdiff_t>(count), written.end());
    Decision decide = [id, batch](Txn& txn, OpContext& context) -> Result<void> {
      context.waits = false;
      Result<void> blocked;
      for (Ino ino : batch) {
        Result<std::optional<records::Inode>> inode = txn.FindInode(ino);
        if (!inode && inode.error().code() == ErrorCode::kWouldBlock) blocked = inode.error();
        // One that cannot be read nobody has cached; it does not keep the others waiting.
        if (!inode || !*inode || context.state.leases.Writer(ino) != id) continue;
        (*inode)->set_data_version(context.state.NextDataVersion((*inode)->data_version()));
        txn.PutInode(ino, **inode);
      }
      return blocked;
    };
    Result<void> marked = co_await Run(std::move(decide), {}, env);
    CO_TRY(marked);
    written.resize(written.size() - count);
  }
  co_return Result<void>();
}

std::vector<SessionId> Volume::FindHeardLosses() {
  const std::lock_guard lock(mutex_);
  std::vector<SessionId> heard;
  for (const auto& [id, session] : state_.sessions.all()) {
    if (session.barred && !session.evicted && session.loss_heard) heard.push_back(id);
  }
  return heard;
}

Task<Result<void>> Volume::ForgetLoss(SessionId id, Env& env) {
  bool heard = false;
  Decision decide = [id, &heard](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    heard = session != nullptr && !session->evicted && session->loss_heard;
    if (!heard) return {};
    records::Session record = session->ToRecord();
    record.set_evicted(false);
    txn.PutSession(id, record);
    return {};
  };
  Publish publish = [id, &heard](VolumeState& state) {
    if (heard) state.sessions.Find(id)->loss_recorded = false;
  };
  Result<void> forgotten = co_await Run(std::move(decide), std::move(publish), env);
  CO_TRY(forgotten);
  Result<void> durable = co_await cluster_.MakeDurable();
  CO_TRY(durable);
  const std::lock_guard lock(mutex_);
  Session* session = state_.sessions.Find(id);
  if (session != nullptr && !session->loss_recorded) session->barred = false;
  co_return Result<void>();
}

void Volume::TendLocks(TimePoint now) {
  const std::lock_guard lock(mutex_);
  state_.locks.EndQueueing(now);
  GrantLocks();
}

}  // namespace gabion
