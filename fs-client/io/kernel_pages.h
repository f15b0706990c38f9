#pragma once

#include "fs-client/io/kernel_caches.h"
#include "fs-client/io/open_inode.h"

namespace gabion {

/// Returns when the kernel's pages of the file are not older than what is known of it now. What a mapping has changed
/// in them is written first. False if it takes long: some are being read, or written.
Task<bool> DropPages(KernelCaches& kernel, OpenInodePtr inode);

}  // namespace gabion
