#pragma once

#include <memory>
#include <string>

#include "common/env/disk.h"
#include "common/env/real/blocking_pool.h"
#include "common/env/real/unique_fd.h"

namespace gabion {

/// A regular file as a DiskFile; `path` is for messages, `size_bytes` its present size.
///
/// Reads are tried with RWF_NOWAIT, which answers from the page cache or not at all, and go to the pool for the rest;
/// where memory is the disk (tmpfs), they are made on the loop's thread.
/// Writes likewise where the filesystem can (XFS, btrfs); where it cannot (ext4, overlayfs), writes up to
/// kInlineWriteBytes are made on the loop's thread: they copy to the page cache, which is cheaper than waking another
/// thread, and block only when the kernel throttles a writer that is ahead of its disk. Larger ones go to the pool.
///
/// Syncs that wait share one fdatasync: those that come while one runs wait for the next. After one failed, all later
/// ones fail: the kernel has then dropped what it could not write, and a later success would hide it.
std::unique_ptr<DiskFile> MakeRealDiskFile(UniqueFd fd, std::string path, std::uint64_t size_bytes, BlockingPool& pool);

inline constexpr std::size_t kInlineWriteBytes = 1024 * 1024;

}  // namespace gabion
