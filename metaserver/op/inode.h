#pragma once

#include <sys/stat.h>

#include <string_view>

#include "metaserver/op/op_context.h"

namespace gabion {

// What many ops need to do with inodes.

inline constexpr std::uint32_t kMaxLinks = 0x7fffffff;

inline bool IsDirectory(const records::Inode& inode) {
  return S_ISDIR(inode.mode());
}
inline bool IsRegular(const records::Inode& inode) {
  return S_ISREG(inode.mode());
}

/// The attributes as an answer shows them, with a lease on the inode if the session may have one.
proto::Attr MakeAttr(OpContext& context, Ino ino, const records::Inode& inode);
/// The same for a file that the session writes, with a write lease if it may have one.
proto::Attr MakeWriterAttr(OpContext& context, Ino ino, const records::Inode& inode, bool awaited = false);

/// Errors: kStale if it is gone, and those of Txn.
Result<records::Inode> GetInode(Txn& txn, Ino ino);
/// A regular file, for calls about content. Errors: as GetInode; kIsDirectory, kInvalidArgument for other kinds.
Result<records::Inode> GetRegular(Txn& txn, Ino ino);
/// A directory in which a name is looked up or changed. Errors: kNotFound if it was removed, kNotDirectory, those of
/// Txn.
Result<records::Inode> GetDirectory(Txn& txn, Ino ino);
/// The inode that a dentry names. Errors: kCorrupt if there is none, those of Txn.
Result<records::Inode> GetNamedInode(Txn& txn, const records::Dentry& dentry);

/// Errors: kNameTooLong, kInvalidArgument (empty, "." or "..", with '/' or a zero byte).
Result<void> CheckName(std::string_view name);

/// One name was added to, removed from or changed in the directory.
void TouchDirectory(records::Inode& directory, std::int64_t now_ns);

/// Takes suid, and sgid where the group may execute (elsewhere it marks mandatory locking), as a write, truncation or
/// change of ownership by one without privileges does.
void KillSuidSgid(records::Inode& inode);
/// The same for the file capability. Errors: those of Txn.
Result<void> KillCapability(Txn& txn, Ino ino, records::Inode& inode);

void CountUsed(OpContext& context, records::Inode& inode, std::uint64_t used_bytes);

}  // namespace gabion
