#include "fs-client/vfs/recalled_writes.h"

#include <utility>

namespace gabion {
namespace {

// Longer than it takes to get an answer that is on its way, and what is written into memory.
constexpr Duration kWritersLimit = std::chrono::milliseconds(500);
constexpr Duration kLook = std::chrono::milliseconds(1);

}  // namespace

Task<void> RecalledWrites::AwaitWriters(ClientLoop* loop, Ino ino) {
  OpenInodePtr inode = files_.FindInode(ino);
  if (inode == nullptr) co_return;
  const TimePoint limit = loop->Now() + kWritersLimit;
  for (;;) {
    {
      std::lock_guard lock(inode->mutex);
      if (inode->acquiring == 0) co_return;
    }
    if (loop->Now() >= limit) co_return;
    co_await loop->env().clock.SleepFor(kLook);
  }
}

Task<void> RecalledWrites::Flush(ClientLoop* loop, Ino ino) {
  OpenInodePtr inode = files_.FindInode(ino);
  if (inode == nullptr) co_return;
  co_await write_back_.FlushAll(loop, std::move(inode));
}

AcquiringWrite::AcquiringWrite(OpenInodePtr inode) : inode_(std::move(inode)) {
  std::lock_guard lock(inode_->mutex);
  ++inode_->acquiring;
}

AcquiringWrite::~AcquiringWrite() {
  std::lock_guard lock(inode_->mutex);
  --inode_->acquiring;
}

}  // namespace gabion
