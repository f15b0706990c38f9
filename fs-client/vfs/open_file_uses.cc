#include "fs-client/vfs/open_file_uses.h"

#include <utility>

#include "common/env/mutate.h"
#include "fs-client/io/kernel_pages.h"

namespace gabion {
namespace {

// Longer than it takes to get an answer that is on its way, and what is written into memory.
constexpr Duration kWritersLimit = std::chrono::milliseconds(500);
// What the kernel reads ahead may arrive while its pages are dropped, and stay.
constexpr int kPageDropsMax = 4;
constexpr Duration kLook = std::chrono::milliseconds(1);

}  // namespace

/// It may be recalled in the very moment in which it is granted: whoever asked for it comes first, or would get
/// nowhere. Exclusive use of the file goes on to its end, for it may change what is at the chunkservers; while the
/// lease is here its requests wait for nobody else.
Task<LeaseCache::WriteRecall> OpenFileUses::TakeBack(ClientLoop* loop, std::uint64_t era, proto::Recall recall) {
  const Ino ino(recall.ino());
  const TimePoint limit = loop->Now() + kWritersLimit;
  for (;;) {
    if (leases_.era() != era) co_return LeaseCache::WriteRecall();
    OpenInodePtr inode = files_.FindInode(ino);
    if (inode == nullptr) co_return leases_.RecalledWrite(recall);
    std::shared_ptr<AsyncEvent> exclusive_ends;
    {
      std::lock_guard lock(inode->mutex);
      const bool is_awaited = inode->acquiring > 0 && loop->Now() < limit;
      if (!is_awaited) {
        if (!inode->exclusive || !leases_.IsWriting(ino)) {
          co_return leases_.RecalledWrite(recall);
        }
        exclusive_ends = inode->changed.Add();
      }
    }
    if (exclusive_ends != nullptr) {
      co_await exclusive_ends->Wait();
    } else {
      co_await loop->env().clock.SleepFor(kLook);
    }
  }
}

Task<void> OpenFileUses::Flush(ClientLoop* loop, Ino ino) {
  OpenInodePtr inode = files_.FindInode(ino);
  if (inode == nullptr) co_return;
  co_await write_back_.FlushAll(loop, std::move(inode));
}

/// Of a closed file nobody uses any; who opens it looks at the version that they are of.
bool OpenFileUses::MayHavePages(Ino ino) {
  return files_.FindInode(ino) != nullptr;
}

/// A page that is being written may be locked, and its writer wait for a lease that others hold as we hold this one:
/// they and we would wait for each other. Then the drop ends when it can, and what the kernel has is told by its
/// version.
Task<bool> OpenFileUses::DropPages(ClientLoop* loop, Ino ino) {
  OpenInodePtr inode = files_.FindInode(ino);
  if (inode == nullptr || tasks_.closed()) co_return true;
  auto drop = std::make_shared<PageDrop>();
  tasks_.Spawn(loop->env().executor, RunPageDrop(inode, drop));
  for (;;) {
    std::shared_ptr<AsyncEvent> changed;
    {
      std::lock_guard lock(inode->mutex);
      if (drop->result) co_return *drop->result;
      if (inode->acquiring > 0) co_return true;
      changed = inode->changed.Add();
    }
    co_await changed->Wait();
  }
}

Task<void> OpenFileUses::RunPageDrop(OpenInodePtr inode, std::shared_ptr<PageDrop> drop) {
  bool is_done = true;
  bool may_have_pages = true;
  for (int tries = 0; is_done && may_have_pages && tries < kPageDropsMax; ++tries) {
    is_done = co_await gabion::DropPages(kernel_, inode);
    std::lock_guard lock(inode->mutex);
    may_have_pages = inode->kernel_has_pages;
  }
  std::lock_guard lock(inode->mutex);
  drop->result = is_done;
  WaitList::Wake(inode->changed.TakeAll());
}

Task<Result<void>> OpenFileUses::Name(ClientLoop* loop, Ino ino) {
  if (!Mutated("lease.return_unnamed")) {
    CO_TRY(co_await naming_.Name(loop, ino));
  }
  if (Mutated("lock.return_unnamed")) co_return Result<void>();
  co_return co_await locks_.NameHere(loop, ino);
}

AcquiringWrite::AcquiringWrite(OpenInodePtr inode) : inode_(std::move(inode)) {
  std::lock_guard lock(inode_->mutex);
  ++inode_->acquiring;
  WaitList::Wake(inode_->changed.TakeAll());
}

AcquiringWrite::~AcquiringWrite() {
  std::lock_guard lock(inode_->mutex);
  --inode_->acquiring;
}

}  // namespace gabion
