#pragma once

#include "metaserver/op/op_context.h"

namespace gabion {

/// Records of the chunk and the xattr table that one op removes; an inode with more leaves them to the background
/// (background/chunk_reclaim.h), so that ops stay short.
inline constexpr std::size_t kMaxRecordsPerRemoval = 64;

/// What is kept of a chunk of this group that is to be deleted.
records::Garbage GarbageOf(const Placement& placement, PgId pg);

/// The chunk is no longer part of any file: its servers are to delete it.
void MakeGarbage(Txn& txn, OpContext& context, const records::Chunk& chunk);

/// Removes an inode that has no name and is not open, with all that belongs to it. Errors: those of Txn.
Result<void> RemoveInode(Txn& txn, OpContext& context, Ino ino, const records::Inode& inode);

/// A name of the inode is gone: counts it off, and removes the inode or makes it an orphan if it was the last. Stages
/// the inode. Errors: those of Txn.
Result<void> DropLink(Txn& txn, OpContext& context, Ino ino, records::Inode& inode);

/// Removes up to `max_records` dead records of an inode in the reclaim table; takes it from there when none are left.
/// Errors: those of Txn.
Result<void> ReclaimStep(Txn& txn, OpContext& context, Ino ino, std::size_t max_records);

/// That a name leads where the client expects it to, which has named the handles of that file. Errors: kNameChanged.
Result<void> RequireLeadsTo(const std::string& name, Ino ino, Ino expected);

/// For UnlinkReply and RenameReply: by which handles the session has open what lost its last name.
void AddHandles(const std::vector<HandleId>& handles, google::protobuf::RepeatedField<std::uint64_t>& field);

}  // namespace gabion
