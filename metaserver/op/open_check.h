#pragma once

#include "metaserver/op/op_context.h"

namespace gabion {

/// Whether the caller may open the file with these flags of open(2) (Linux's numbers). Errors: kPermissionDenied,
/// kIsDirectory (a directory for writing).
Result<void> RequireOpenAccess(const records::Inode& inode, const Credentials& caller, std::uint32_t flags,
                               bool truncate);

/// Notes that the session has the file open under the handle from this op on. Errors: kInvalidArgument (no handle, or
/// one of another file), kOverloaded (too many).
Result<void> StageHandle(OpContext& context, HandleId handle, Ino ino);

/// O_TRUNC. Stages chunks, not the inode. Errors: those of SetContentSize.
Result<void> TruncateAtOpen(Txn& txn, OpContext& context, Ino ino, records::Inode& inode);

}  // namespace gabion
