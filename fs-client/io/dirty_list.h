#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "fs-client/io/open_inode.h"

namespace gabion {

/// The files with bytes on their way, to be found when those grow old, memory runs short, or the client stops. In the
/// order of inodes. Any loop; its lock is taken under an inode's mutex.
class DirtyList {
 public:
  /// Under the inode's mutex: keeps `listed` and `dirty_since` in step with whether there is anything.
  void Update(const OpenInodePtr& inode, TimePoint now) {
    bool dirty = !inode->dirty.empty();
    if (dirty == inode->listed) return;
    inode->listed = dirty;
    std::lock_guard lock(mutex_);
    if (dirty) {
      inode->dirty_since = now;
      inodes_[inode->ino()] = inode;
    } else {
      inodes_.erase(inode->ino());
    }
  }

  std::vector<OpenInodePtr> Snapshot() const {
    std::lock_guard lock(mutex_);
    std::vector<OpenInodePtr> all;
    all.reserve(inodes_.size());
    for (const auto& [ino, inode] : inodes_) all.push_back(inode);
    return all;
  }

  bool empty() const {
    std::lock_guard lock(mutex_);
    return inodes_.empty();
  }

 private:
  mutable std::mutex mutex_;
  std::map<Ino, OpenInodePtr> inodes_;
};

}  // namespace gabion
