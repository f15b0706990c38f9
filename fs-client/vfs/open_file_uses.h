#pragma once

#include <memory>
#include <optional>

#include "common/coro/task_group.h"
#include "fs-client/io/write_back.h"
#include "fs-client/lease/recall_listener.h"
#include "fs-client/lock/file_locks.h"
#include "fs-client/vfs/handle_naming.h"
#include "fs-client/vfs/open_files.h"

namespace gabion {

/// What is done under leases with open files, and with those that were closed a moment ago. Any loop.
class OpenFileUses final : public LeaseUses {
 public:
  /// All outlive it.
  OpenFileUses(OpenFiles& files, WriteBack& write_back, HandleNaming& naming, FileLocks& locks, LeaseCache& leases,
               KernelCaches& kernel, TaskGroup& tasks)
      : files_(files),
        write_back_(write_back),
        naming_(naming),
        locks_(locks),
        leases_(leases),
        kernel_(kernel),
        tasks_(tasks) {}

  Task<LeaseCache::WriteRecall> TakeBack(ClientLoop* loop, std::uint64_t era, proto::Recall recall) override;
  Task<void> Flush(ClientLoop* loop, Ino ino) override;
  bool MayHavePages(Ino ino) override;
  Task<bool> DropPages(ClientLoop* loop, Ino ino) override;
  Task<Result<void>> Name(ClientLoop* loop, Ino ino) override;

 private:
  struct PageDrop {
    std::optional<bool> result;  // under the inode's mutex
  };
  Task<void> RunPageDrop(OpenInodePtr inode, std::shared_ptr<PageDrop> drop);

  OpenFiles& files_;
  WriteBack& write_back_;
  HandleNaming& naming_;
  FileLocks& locks_;
  LeaseCache& leases_;
  KernelCaches& kernel_;
  TaskGroup& tasks_;
};

/// While it lives, a write has asked for a write lease and is about to use it: recalls wait, for a moment.
class [[nodiscard]] AcquiringWrite {
 public:
  explicit AcquiringWrite(OpenInodePtr inode);
  AcquiringWrite(const AcquiringWrite&) = delete;
  AcquiringWrite& operator=(const AcquiringWrite&) = delete;
  ~AcquiringWrite();

 private:
  const OpenInodePtr inode_;
};

}  // namespace gabion
