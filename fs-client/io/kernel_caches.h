#pragma once

#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "fs-client/vfs/root_map.h"
#include "fs-client/vfs/vfs.h"

namespace gabion {

/// The front end's caches, by the metaserver's inode numbers. Any loop.
class KernelCaches {
 public:
  explicit KernelCaches(const RootMap& root) : root_(root) {}

  /// Before the first call. Null: nobody caches.
  void SetInvalidator(CacheInvalidator* invalidator) { invalidator_ = invalidator; }

  /// Returns when what was cached of the inode's pages is not any more. False if the kernel has not done it in time.
  Task<bool> DropData(Ino ino) {
    if (invalidator_ == nullptr) co_return true;
    co_return co_await invalidator_->InvalidateData(root_.ToKernel(ino));
  }
  /// Attributes alone; waits for no page, and so for nobody. False if the kernel has not done it in time.
  Task<bool> DropAttributes(std::vector<Ino> inodes) {
    if (invalidator_ == nullptr) co_return true;
    for (Ino& ino : inodes) ino = root_.ToKernel(ino);
    co_return co_await invalidator_->InvalidateAttributes(std::move(inodes));
  }

 private:
  const RootMap& root_;
  CacheInvalidator* invalidator_ = nullptr;
};

}  // namespace gabion
