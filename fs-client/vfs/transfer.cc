#include <fcntl.h>
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "common/env/mutate.h"
#include "fs-client/session/interruption.h"
#include "fs-client/vfs/open_file_uses.h"
#include "fs-client/vfs/volume_vfs.h"

// Moving bytes, and making them visible and durable.

namespace gabion {
namespace {

// A write lease that was not to be had, or was recalled in the same moment.
constexpr Duration kAcquireAgain = std::chrono::milliseconds(1);

}  // namespace

Task<Result<Payload>> VolumeVfs::Read(Caller caller, Ino, HandleId id, std::uint64_t offset, std::uint32_t size) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  Result<OpenHandlePtr> handle = FindHandle(id);
  if (!handle) co_return handle.error();
  const OpenInodePtr inode = (*handle)->inode;
  // Before a read through its page cache the kernel asks for the attributes; before a direct one it does not.
  if ((*handle)->IsDirect()) {
    CO_TRY(co_await LookAgain(loop, caller, inode));
    co_return co_await parts_.reader.Read(loop, std::move(*handle), offset, size);
  }
  {
    std::lock_guard lock(inode->mutex);
    inode->NotePages();
  }
  Result<Payload> bytes = co_await parts_.reader.Read(loop, std::move(*handle), offset, size);
  // Nobody would have them dropped before the file is changed elsewhere.
  const bool is_leased = parts_.leases.cache().IsHeld(inode->ino(), loop->Now());
  if (!is_leased && !parts_.tasks.closed() && !Mutated("lease.leave_pages"))
    parts_.tasks.Spawn(loop->env().executor, DropUnleasedPages(inode));
  co_return bytes;
}

Task<Result<void>> VolumeVfs::Write(Caller caller, Ino, HandleId id, std::uint64_t offset,
                                    std::span<const std::byte> data, bool kill_suid_sgid) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  Result<OpenHandlePtr> found = FindHandle(id);
  if (!found) co_return found.error();
  OpenHandlePtr handle = std::move(*found);
  const OpenInodePtr& inode = handle->inode;
  CO_TRY(WriteBack::TakeErrorForWrite(*handle));
  if (data.empty()) co_return Result<void>();
  if (offset > kMaxFileBytes || data.size() > kMaxFileBytes - offset) {
    co_return Error(ErrorCode::kTooLarge, fmt::format("a write of {} bytes at {}", data.size(), offset));
  }

  // Without a caller it is the kernel that writes a mapping's pages, which have their place whatever the handle says.
  WriteBack::Manner manner;
  manner.append = (handle->flags & O_APPEND) != 0 && caller.pid != 0;
  manner.kill_privileges = kill_suid_sgid;
  manner.by_kernel = caller.pid == 0;
  Slice kept;
  auto keep = [&kept, &data] {
    if (!kept.empty()) return;
    kept = Slice::CopyOf(data);
    data = kept.span();
  };
  std::optional<AcquiringWrite> acquiring;
  for (;;) {
    const WriteBack::Verdict verdict = parts_.write_back.TryWrite(loop, inode, offset, data, manner);
    if (verdict == WriteBack::Verdict::kTaken) break;
    keep();
    if (verdict == WriteBack::Verdict::kNeedLease) {
      if (acquiring) co_await loop->env().clock.SleepFor(kAcquireAgain);
      if (!acquiring) acquiring.emplace(inode);
      CO_TRY(co_await AcquireWrite(loop, caller, inode));
    } else if (verdict == WriteBack::Verdict::kNeedKill) {
      CO_TRY(co_await KillPrivileges(loop, inode));
      manner.kill_privileges = false;  // what the file is given from now on it is given after this write
    } else {
      acquiring.reset();
      co_await parts_.write_back.AwaitRoom(loop, inode);
    }
    CO_TRY(co_await StillWanted());
  }
  acquiring.reset();
  if ((handle->flags & (O_DSYNC | O_SYNC | O_DIRECT)) != 0) co_return co_await FinishWrite(loop, std::move(handle));
  co_return Result<void>();
}

/// Errors: kCancelled, if the mount is being stopped, or the caller killed.
Task<Result<void>> VolumeVfs::StillWanted() {
  asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
  if (!Interrupted(cancellation) && !parts_.session.stopping()) co_return Result<void>();
  co_return Error(ErrorCode::kCancelled, "the caller does not wait any more");
}

/// An answer without the lease, or with one that has been recalled meanwhile, is no error: whoever needs it asks again.
/// Errors: of the call; kCancelled.
Task<Result<void>> VolumeVfs::AcquireWrite(ClientLoop* loop, Caller caller, OpenInodePtr inode) {
  constexpr Duration kLook = std::chrono::milliseconds(1);
  while (parts_.leases.cache().IsReturning(inode->ino())) {
    CO_TRY(co_await StillWanted());
    co_await loop->env().clock.SleepFor(kLook);
  }
  proto::AcquireWriteRequest request;
  request.set_ino(inode->ino().value());
  caller.uid = kOwnWork.uid;  // the handle is open for writing
  caller.gid = kOwnWork.gid;
  auto reply = co_await parts_.meta.Read<proto::AcquireWriteReply>(loop, caller, proto::METHOD_ACQUIRE_WRITE,
                                                                   std::move(request));
  if (!reply) co_return reply.error();
  // Before the lease counts: an append goes to the end that it shows.
  CO_TRY(co_await Observe(inode, reply->attr()));
  parts_.leases.cache().Learn(reply->note(), reply->attr(), loop->Now());
  co_return Result<void>();
}

Task<Result<void>> VolumeVfs::AcquireExclusive(ClientLoop* loop, Caller caller, OpenInodePtr inode) {
  const AcquiringWrite acquiring(inode);
  for (;;) {
    {
      // As recalls do: what is here now stays (OpenFileUses::TakeBack).
      std::lock_guard lock(inode->mutex);
      if (parts_.leases.cache().MayWrite(inode->ino(), loop->Now())) co_return Result<void>();
    }
    CO_TRY(co_await AcquireWrite(loop, caller, inode));
    CO_TRY(co_await StillWanted());
    if (!parts_.leases.cache().MayWrite(inode->ino(), loop->Now())) {
      co_await loop->env().clock.SleepFor(kAcquireAgain);
    }
  }
}

/// Set-id bits and capabilities: before the write is taken in, for its commit comes later, perhaps from another
/// process.
Task<Result<void>> VolumeVfs::KillPrivileges(ClientLoop* loop, OpenInodePtr inode) {
  proto::SetAttrRequest request;
  request.set_ino(inode->ino().value());
  request.set_kill_suid_sgid(true);
  auto reply =
      co_await parts_.meta.Mutate<proto::SetAttrReply>(loop, kOwnWork, proto::METHOD_SET_ATTR, std::move(request));
  if (!reply) co_return reply.error();
  CO_TRY(co_await Observe(inode, reply->attr()));
  std::lock_guard lock(inode->mutex);
  // Else it was changed again since, or the metaserver's clock stands behind: the next write asks again.
  if (inode->known.ctime_ns == reply->attr().ctime_ns()) inode->unprivileged_ctime_ns = inode->known.ctime_ns;
  co_return Result<void>();
}

/// What O_SYNC, O_DSYNC and O_DIRECT ask of a write before it returns.
Task<Result<void>> VolumeVfs::FinishWrite(ClientLoop* loop, OpenHandlePtr handle) {
  Result<void> synced;
  if ((handle->flags & (O_SYNC | O_DSYNC)) != 0) {
    bool data_only = (handle->flags & O_SYNC) != O_SYNC;
    synced = co_await parts_.write_back.Sync(loop, handle->inode, data_only);
  } else {
    co_await parts_.write_back.FlushAll(loop, handle->inode);
  }
  CO_TRY(WriteBack::TakeErrorForSync(*handle));
  co_return synced;
}

Task<Result<void>> VolumeVfs::Flush(Caller, Ino ino, HandleId id, std::uint64_t lock_owner) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  const Ino file = ToServer(ino);
  const LockOwner owner{0, LockKind::kPosix, lock_owner};
  const bool has_locks = parts_.locks.HasLocks(file, owner);
  if (has_locks) parts_.locks.BeginRelease(file);
  Result<OpenHandlePtr> handle = FindHandle(id);
  Result<void> flushed;
  if (!handle) {
    flushed = handle.error();
  } else if (((*handle)->flags & O_ACCMODE) != O_RDONLY) {
    const bool leased = parts_.leases.cache().MayWrite(file, loop->Now());
    const bool is_shared = has_locks && !parts_.locks.AreHere(file);
    if (!leased || is_shared || parts_.write_back.SpaceIsShort(loop))
      co_await parts_.write_back.FlushAll(loop, (*handle)->inode);
    flushed = WriteBack::TakeErrorForSync(**handle);
  }
  if (has_locks) {
    co_await parts_.locks.ReleaseOwner(loop, file, owner);
    parts_.locks.EndRelease(file);
  }
  co_return flushed;
}

Task<Result<void>> VolumeVfs::Fsync(Caller caller, Ino, HandleId id, bool data_only) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  Result<OpenHandlePtr> handle = FindHandle(id);
  if (!handle) co_return handle.error();
  const OpenInodePtr& inode = (*handle)->inode;
  bool nothing_gathered = false;
  {
    std::lock_guard lock(inode->mutex);
    nothing_gathered = inode->dirty.empty();
  }
  // What others have written is synced too. Our own commit would tell of it; without one we have to ask.
  if (nothing_gathered) CO_TRY(co_await LookAgain(loop, caller, inode));
  Result<void> synced = co_await parts_.write_back.Sync(loop, (*handle)->inode, data_only);
  CO_TRY(WriteBack::TakeErrorForSync(**handle));
  co_return synced;
}

}  // namespace gabion
