#pragma once

#include "metaserver/op/op_context.h"

namespace gabion {

/// Sets a regular file's size as truncate(2) does; stages chunks, not the inode. Shorter: whole chunks beyond the end
/// become garbage, and a chunk that is cut in its middle gets a trim mark, for its servers still hold the bytes.
/// Longer: the new part is a hole; while a mark is pending, kBusy, for the cut bytes would show in it. Times are the
/// caller's. Errors: kTooLarge, kBusy, those of Txn.
Result<void> SetContentSize(Txn& txn, OpContext& context, Ino ino, records::Inode& inode, std::uint64_t size_bytes);

/// Whether a chunk-table record of this index is part of the file, not a leftover that awaits reclaim.
bool IsLiveIndex(const records::Inode& inode, std::uint64_t index);

/// The chunk at an index, dead records left out. Errors: those of Txn.
Result<std::optional<records::Chunk>> FindLiveChunk(Txn& txn, Ino ino, const records::Inode& inode,
                                                    std::uint64_t index);

}  // namespace gabion
