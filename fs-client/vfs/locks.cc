#include "fs-client/vfs/volume_vfs.h"

// fcntl(2)'s and flock(2)'s locks. What was written under a lock that others may want is sent before the lock is given
// up: it outlives this client.

namespace gabion {

Task<Result<void>> VolumeVfs::SetLock(Caller caller, Ino ino, HandleId id, RangeLock lock, bool wait) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  Result<OpenHandlePtr> handle = FindHandle(id);
  if (!handle) co_return handle.error();
  const bool may_unlock =
      !lock.exclusive && !parts_.locks.AreHere(ToServer(ino));  // it may take an exclusive one's place
  if (may_unlock) co_await FlushIfDirty(loop, (*handle)->inode);
  co_return co_await parts_.locks.Set(loop, caller, ToServer(ino), id, lock, wait);
}

Task<Result<void>> VolumeVfs::Unlock(Caller, Ino ino, HandleId id, RangeLock range) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  OpenInodePtr inode = parts_.locks.AreHere(ToServer(ino)) ? nullptr : parts_.files.FindInode(ToServer(ino));
  if (inode != nullptr) co_await FlushIfDirty(loop, std::move(inode));
  co_return co_await parts_.locks.Clear(loop, ToServer(ino), id, range);
}

Task<Result<std::optional<RangeLock>>> VolumeVfs::TestLock(Caller caller, Ino ino, RangeLock lock) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  co_return co_await parts_.locks.Test(loop, caller, ToServer(ino), lock);
}

/// Errors are for whoever syncs or closes.
Task<void> VolumeVfs::FlushIfDirty(ClientLoop* loop, OpenInodePtr inode) {
  bool is_dirty = false;
  {
    std::lock_guard lock(inode->mutex);
    is_dirty = !inode->dirty.empty();
  }
  if (is_dirty) co_await parts_.write_back.FlushAll(loop, std::move(inode));
}

}  // namespace gabion
