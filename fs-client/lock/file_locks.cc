#include "fs-client/lock/file_locks.h"

#include <utility>

#include "common/base/log.h"
#include "common/lock/lock_message.h"
#include "fs-client/io/chunk_places.h"
#include "fs-client/session/interruption.h"

namespace gabion {
namespace {

// The kernel tells of the last close of a file, and of a process that ends, without waiting for us. A lock that is
// asked for right after that gets this much time.
constexpr int kAskedAgainMax = 5;
constexpr Duration kAskAgainAfter = std::chrono::milliseconds(1);
constexpr Duration kSessionCheckInterval = std::chrono::milliseconds(100);

/// False if the caller is interrupted before. `event` may be null: there is nothing to wait for.
Task<bool> Await(Caller caller, std::shared_ptr<AsyncEvent> event) {
  if (event == nullptr) co_return true;
  if (caller.pid != 0) co_return co_await WaitUnlessInterrupted(std::move(event));
  co_await event->Wait();
  co_return true;
}

}  // namespace

Task<Result<void>> FileLocks::Set(ClientLoop* loop, Caller caller, Ino ino, HandleId handle, RangeLock lock,
                                  bool wait) {
  Wanted wanted{ino, handle, lock, nullptr};
  const unsigned index = loop->env().loop_index;
  if (wait) {
    wanted.wait = held_.BeginWait(index);
    if (wanted.wait == nullptr) co_return Error(ErrorCode::kNoLocks, "too many processes wait for locks here");
  }
  Result<void> taken = co_await Take(loop, caller, wanted);
  if (wait) held_.EndWait(index, wanted.wait);
  co_return taken;
}

Task<Result<void>> FileLocks::Take(ClientLoop* loop, Caller caller, Wanted& wanted) {
  int asked_again = 0;
  std::optional<HeldLocks::Asking> asking;
  for (;;) {
    std::shared_ptr<AsyncEvent> released = held_.Releasing(wanted.ino);
    bool undisturbed = co_await Await(caller, std::move(released));
    std::shared_ptr<AsyncEvent> named_all = held_.Naming();
    if (undisturbed) undisturbed = co_await Await(caller, std::move(named_all));
    if (!undisturbed) {
      Error interrupted(ErrorCode::kCancelled, "the caller does not wait any more");
      co_return co_await GiveUp(loop, wanted, std::move(interrupted));
    }
    const std::uint64_t named = held_.times_named();
    const HeldLocks::Here here = held_.TakeHere(wanted.ino, wanted.handle, wanted.lock, leases_, loop->Now());
    if (here == HeldLocks::Here::kTaken) co_return Result<void>();
    Result<Verdict> verdict = Verdict::kRefusedByOwn;
    if (here == HeldLocks::Here::kNotHere || wanted.wait != nullptr) {
      if (!asking) {
        asking.emplace(held_, wanted.ino);
        // Whoever waits for one of flock's locks has given up what it had (flock(2)). The metaserver may have it yet,
        // so that nothing is given out here from now on.
        const bool gives_up = wanted.wait != nullptr && wanted.lock.owner.kind == LockKind::kFlock;
        if (gives_up) (void)co_await Remove(wanted.ino, wanted.lock.owner, 0, RangeLock::kLastByte);
      }
      const Result<void> all_known = co_await NameHere(loop, wanted.ino);
      if (wanted.wait != nullptr) held_.AskAgain(wanted.wait);
      if (all_known) {
        verdict = co_await Ask(loop, caller, wanted);
      } else {
        verdict = all_known.error();
      }
    }
    if (!verdict) {
      Error failed = verdict.error();
      co_return co_await GiveUp(loop, wanted, std::move(failed));
    }
    if (*verdict == Verdict::kRefusedByOwn && asked_again++ < kAskedAgainMax) {
      co_await loop->env().clock.SleepFor(kAskAgainAfter);
      continue;
    }
    if (*verdict == Verdict::kRefused || *verdict == Verdict::kRefusedByOwn) {
      co_return Error(ErrorCode::kLocked, "another has a lock there");
    }
    if (*verdict == Verdict::kQueued) {
      std::shared_ptr<AsyncEvent> woken = wanted.wait->woken;
      undisturbed = co_await Await(caller, std::move(woken));
      if (!held_.WasGranted(wanted.wait)) {
        if (undisturbed) continue;  // the session went on, perhaps with a metaserver that knows nobody who waits
        Error interrupted(ErrorCode::kCancelled, "the caller does not wait any more");
        co_return co_await GiveUp(loop, wanted, std::move(interrupted));
      }
    }
    if (loop->Now() >= leases_.writes_until()) {
      // We may have stood still for so long that others have it by now. Once the session is renewed we know.
      co_await loop->env().clock.SleepFor(kSessionCheckInterval);
      continue;
    }
    if (held_.Add(wanted.ino, wanted.handle, wanted.lock, named)) co_return Result<void>();
  }
}

Task<Result<void>> FileLocks::NameHere(ClientLoop* loop, Ino ino) {
  const std::vector<proto::FileLock> locks = held_.BeginNamingHere(ino);
  if (locks.empty()) co_return Result<void>();
  proto::NameLocksRequest request;
  request.mutable_locks()->Add(locks.begin(), locks.end());
  auto reply =
      co_await meta_.Mutate<proto::NameLocksReply>(loop, kOwnWork, proto::METHOD_NAME_LOCKS, std::move(request));
  held_.EndNamingHere(ino, reply ? &*reply : nullptr);
  if (!reply) co_return reply.error();
  // While that was under way the session may have been told that it has lost them.
  for (const proto::FileLock& lock : locks) {
    if (held_.Covers(lock)) continue;
    CO_TRY_ASSIGN(const RangeLock lost, FromMessage(SessionId(), lock));
    CO_TRY(co_await Unlock(loop, ino, lost.owner, lost.begin, lost.last));
  }
  co_return Result<void>();
}

Task<Result<FileLocks::Verdict>> FileLocks::Ask(ClientLoop* loop, Caller caller, Wanted& wanted) {
  proto::SetLockRequest request;
  *request.mutable_lock() = ToMessage(wanted.ino, wanted.lock);
  if (wanted.wait != nullptr) request.set_wait(wanted.wait->number);
  wanted.is_queued = wanted.wait != nullptr;
  auto reply = co_await meta_.Mutate<proto::SetLockReply>(loop, caller, proto::METHOD_SET_LOCK, std::move(request));
  if (!reply) co_return reply.error();
  if (reply->granted()) co_return Verdict::kGranted;
  if (wanted.wait != nullptr) co_return Verdict::kQueued;
  co_return reply->own_conflict() ? Verdict::kRefusedByOwn : Verdict::kRefused;
}

/// It may be granted just now: then it is taken after all.
Task<Result<void>> FileLocks::GiveUp(ClientLoop* loop, Wanted& wanted, Error why) {
  if (wanted.is_queued) {
    proto::CancelLockRequest request;
    request.set_wait(wanted.wait->number);
    auto reply =
        co_await meta_.Mutate<proto::CancelLockReply>(loop, kOwnWork, proto::METHOD_CANCEL_LOCK, std::move(request));
    if (reply && !reply->waited()) {
      Wanted at_once{wanted.ino, wanted.handle, wanted.lock, nullptr};
      Result<void> taken = co_await Take(loop, kOwnWork, at_once);
      if (taken) co_return taken;
    }
    // What flock had before may be there still.
    if (reply && wanted.lock.owner.kind == LockKind::kPosix) co_return why;
  }
  held_.NoteUnsure(wanted.ino, wanted.handle, wanted.lock.owner);
  co_return why;
}

/// Not held here from then on: nobody who names what is held names it.
Task<HeldLocks::Removed> FileLocks::Remove(Ino ino, LockOwner owner, std::uint64_t begin, std::uint64_t last) {
  for (;;) {
    const HeldLocks::Removed removed = held_.Remove(ino, owner, begin, last);
    if (removed != HeldLocks::Removed::kBeingNamed) co_return removed;
    std::shared_ptr<AsyncEvent> named = held_.Naming();
    (void)co_await Await(kOwnWork, std::move(named));
  }
}

Task<Result<void>> FileLocks::Clear(ClientLoop* loop, Ino ino, HandleId handle, RangeLock range) {
  const HeldLocks::Asking asking(held_, ino);
  const HeldLocks::Removed removed = co_await Remove(ino, range.owner, range.begin, range.last);
  if (removed != HeldLocks::Removed::kAtMetaserver) co_return Result<void>();
  Result<void> unlocked = co_await Unlock(loop, ino, range.owner, range.begin, range.last);
  if (!unlocked) held_.NoteUnsure(ino, handle, range.owner);
  co_return unlocked;
}

Task<Result<void>> FileLocks::Unlock(ClientLoop* loop, Ino ino, LockOwner owner, std::uint64_t begin,
                                     std::uint64_t last) {
  proto::SetLockRequest request;
  const RangeLock range{owner, false, begin, last, 0};
  *request.mutable_lock() = ToMessage(ino, range);
  request.mutable_lock()->set_mode(proto::LOCK_MODE_UNLOCKED);
  auto reply = co_await meta_.Mutate<proto::SetLockReply>(loop, kOwnWork, proto::METHOD_SET_LOCK, std::move(request));
  if (!reply) co_return reply.error();
  co_return Result<void>();
}

Task<Result<std::optional<RangeLock>>> FileLocks::Test(ClientLoop* loop, Caller caller, Ino ino, RangeLock lock) {
  std::shared_ptr<AsyncEvent> released = held_.Releasing(ino);
  const bool undisturbed = co_await Await(caller, std::move(released));
  if (!undisturbed) co_return Error(ErrorCode::kCancelled, "the caller does not wait any more");
  std::optional<RangeLock> conflict;
  const HeldLocks::Here here = held_.TestHere(ino, lock, leases_, loop->Now(), conflict);
  if (here != HeldLocks::Here::kNotHere) co_return conflict;
  CO_TRY(co_await NameHere(loop, ino));
  proto::TestLockRequest request;
  *request.mutable_lock() = ToMessage(ino, lock);
  auto reply = co_await meta_.Read<proto::TestLockReply>(loop, caller, proto::METHOD_TEST_LOCK, std::move(request));
  if (!reply) co_return reply.error();
  if (reply->has_conflict()) {
    CO_TRY_ASSIGN(conflict, FromMessage(SessionId(), reply->conflict()));
  }
  co_return conflict;
}

Task<void> FileLocks::ReleaseOwner(ClientLoop* loop, Ino ino, LockOwner owner) {
  const HeldLocks::Asking asking(held_, ino);
  const HeldLocks::Removed removed = co_await Remove(ino, owner, 0, RangeLock::kLastByte);
  if (removed != HeldLocks::Removed::kAtMetaserver) co_return;
  Result<void> unlocked = co_await Unlock(loop, ino, owner, 0, RangeLock::kLastByte);
  if (!unlocked && unlocked.error().code() != ErrorCode::kCancelled) {
    LogWarning("a lock on inode {} that was closed could not be given up: {}", ino.value(),
               unlocked.error().ToString());
  }
}

Task<void> FileLocks::ReleaseHandle(ClientLoop* loop, Ino ino, HandleId handle) {
  for (const LockOwner& owner : held_.OwnersBy(ino, handle)) co_await ReleaseOwner(loop, ino, owner);
}

}  // namespace gabion
