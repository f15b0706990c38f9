#include <fmt/format.h>

#include "common/env/mutate.h"
#include "common/lock/lock_message.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

using LockChange = OpEffects::LockChange;

namespace {

constexpr const char* kInGrace = "locks are given when all clients of before have named theirs";

/// The file's writer may have given out locks of its own: they are named when it returns its lease.
void AwaitWriter(OpContext& context, Ino ino) {
  if (!Mutated("lock.ask_no_writer")) context.shown.push_back(ino);
}

}  // namespace

Result<proto::SetLockReply> SetLock(Txn&, const proto::SetLockRequest& request, OpContext& context) {
  const LockTable& locks = context.state.locks;
  const SessionId session = context.session->id;
  TRY_ASSIGN(const RangeLock wanted, FromMessage(session, request.lock()));
  const Ino ino(request.lock().ino());
  proto::SetLockReply reply;
  LockChange change{LockChange::Kind::kSet, ino, wanted, request.wait()};
  if (request.lock().mode() == proto::LOCK_MODE_UNLOCKED) {
    change.kind = LockChange::Kind::kClear;
    context.effects.locks.push_back(change);
    reply.set_granted(true);
    return reply;
  }
  if (!locks.HasRoom(session)) {
    return Error(ErrorCode::kNoLocks, fmt::format("session {} holds, or waits for, too many locks", session.value()));
  }
  if (context.state.sessions.awaiting_holders() && !Mutated("lock.no_grace")) {
    return Error(ErrorCode::kUnavailable, kInGrace);
  }
  AwaitWriter(context, ino);
  const RangeLock* conflict = locks.FindConflict(ino, wanted);

  if (request.wait() == 0) {
    if (conflict != nullptr) {
      reply.set_own_conflict(conflict->owner.session == session.value());
      context.effects.locks.push_back(LockChange{LockChange::Kind::kRefused, ino, *conflict, 0});
      return reply;
    }
  } else if (conflict != nullptr || locks.HasToQueue(ino, wanted)) {
    if (locks.WouldDeadlock(ino, wanted)) {
      return Error(ErrorCode::kDeadlock, "who has the lock waits for one that the caller has");
    }
    change.kind = LockChange::Kind::kWait;
    context.effects.locks.push_back(change);
    return reply;
  }
  context.effects.locks.push_back(change);
  reply.set_granted(true);
  return reply;
}

Result<proto::TestLockReply> TestLock(Txn&, const proto::TestLockRequest& request, OpContext& context) {
  TRY_ASSIGN(const RangeLock wanted, FromMessage(context.session->id, request.lock()));
  const Ino ino(request.lock().ino());
  proto::TestLockReply reply;
  AwaitWriter(context, ino);
  const RangeLock* conflict = context.state.locks.FindConflict(ino, wanted);
  if (conflict == nullptr) {
    if (context.state.sessions.awaiting_holders()) return Error(ErrorCode::kUnavailable, kInGrace);
    return reply;
  }
  *reply.mutable_conflict() = ToMessage(ino, *conflict);
  if (conflict->owner.session != context.session->id.value()) reply.mutable_conflict()->set_pid(0);
  return reply;
}

Result<proto::NameLocksReply> NameLocks(Txn&, const proto::NameLocksRequest& request, OpContext& context) {
  proto::NameLocksReply reply;
  const LockTable& locks = context.state.locks;
  for (const proto::FileLock& message : request.locks()) {
    TRY_ASSIGN(const RangeLock lock, FromMessage(context.session->id, message));
    const Ino ino(message.ino());
    if (locks.HasRoom(context.session->id) && locks.FindConflict(ino, lock) == nullptr) {
      context.effects.locks.push_back(LockChange{LockChange::Kind::kSet, ino, lock, 0});
    } else {
      *reply.add_lost_locks() = message;
    }
  }
  return reply;
}

Result<proto::CancelLockReply> CancelLock(Txn&, const proto::CancelLockRequest& request, OpContext& context) {
  proto::CancelLockReply reply;
  reply.set_waited(context.state.locks.Waits(context.session->id, request.wait()));
  LockChange change{LockChange::Kind::kCancel, Ino(), {}, request.wait()};
  change.lock.owner.session = context.session->id.value();
  context.effects.locks.push_back(change);
  return reply;
}

}  // namespace gabion::op
