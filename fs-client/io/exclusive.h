#pragma once

#include <utility>

#include "fs-client/io/open_inode.h"

namespace gabion {

/// While it lives, writes to the file wait, and other exclusive work does: for cutting and punching. Pass a null inode
/// for a file that nobody has open here; nothing happens then.
class [[nodiscard]] ExclusiveUse {
 public:
  ExclusiveUse() = default;
  explicit ExclusiveUse(OpenInodePtr inode) : inode_(std::move(inode)) {}
  ExclusiveUse(ExclusiveUse&& other) noexcept : inode_(std::exchange(other.inode_, nullptr)) {}
  ExclusiveUse& operator=(ExclusiveUse&& other) noexcept {
    std::swap(inode_, other.inode_);
    return *this;
  }
  ~ExclusiveUse() {
    if (inode_ == nullptr) return;
    WaitList::Waiters woken;
    {
      std::lock_guard lock(inode_->mutex);
      inode_->exclusive = false;
      woken = inode_->changed.TakeAll();
    }
    WaitList::Wake(woken);
  }

  static Task<ExclusiveUse> Of(OpenInodePtr inode) {
    while (inode != nullptr) {
      std::shared_ptr<AsyncEvent> ended;
      {
        std::lock_guard lock(inode->mutex);
        if (inode->exclusive) {
          ended = inode->changed.Add();
        } else {
          inode->exclusive = true;
        }
      }
      if (ended == nullptr) break;
      co_await ended->Wait();
    }
    co_return ExclusiveUse(std::move(inode));
  }

 private:
  OpenInodePtr inode_;
};

}  // namespace gabion
