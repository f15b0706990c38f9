#include "fs-client/io/kernel_pages.h"

#include <utility>

namespace gabion {

Task<bool> DropPages(KernelCaches& kernel, OpenInodePtr inode) {
  OpenInode::PageDrop drop;
  {
    std::lock_guard lock(inode->mutex);
    drop = inode->BeginPageDrop();
  }
  const bool is_done = co_await kernel.DropData(inode->ino());
  std::lock_guard lock(inode->mutex);
  if (is_done) inode->EndPageDrop(drop);
  co_return is_done;
}

}  // namespace gabion
