#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fs-client/fuse/kernel_abi.h"
#include "fs-client/vfs/vfs.h"

/// The Vfs's answers in the kernel's layouts. All pure.
namespace gabion::fuse {

/// What st_blksize says: programs that size their buffers by it (stdio) then make one request of a page of a chunk
/// where 4 KiB would make sixteen.
inline constexpr std::uint32_t kPreferredIoBytes = 64 << 10;

fuse_attr ToFuseAttr(const FileAttr& attr);
fuse_entry_out ToEntryOut(const Entry& entry);
/// None: the lock could be had.
fuse_lk_out ToLockOut(const std::optional<RangeLock>& lock);
fuse_attr_out ToAttrOut(const Attributes& attributes);
StatxOut ToStatxOut(const Attributes& attributes);
fuse_open_out ToOpenOut(const OpenedFile& file);
fuse_statfs_out ToStatfsOut(const gabion::StatFs& stat);

struct CreateOut {
  fuse_entry_out entry;
  fuse_open_out open;
};
CreateOut ToCreateOut(const CreatedFile& created);

/// Writes as many of `entries` as fit into `out`, in order; the number of bytes written. With `plus` in READDIRPLUS's
/// layout, in which an entry without attributes has node 0. 0 although there are entries: `out` is too small for one.
std::size_t PackDirectory(const std::vector<DirEntryPlus>& entries, bool plus, std::span<std::byte> out);

/// LISTXATTR's answer: each name with a NUL behind it.
std::string PackNames(const std::vector<std::string>& names);

// Notifications, complete with their header: to be written to the device in one write.

/// Drops the kernel's attributes and pages of an inode.
std::string EncodeInvalidateInode(Ino ino);
/// Drops its attributes alone.
std::string EncodeInvalidateAttributes(Ino ino);

}  // namespace gabion::fuse
