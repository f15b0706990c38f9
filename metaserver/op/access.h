#pragma once

#include "metaserver/op/op_context.h"

namespace gabion {

/// Bits of a permission check, as in a mode's lowest three.
enum AccessMask : unsigned { kMayExecute = 1, kMayWrite = 2, kMayRead = 4 };

/// POSIX file access: the owner's, else the group's, else the others' bits. Root may read and write everything, search
/// every directory, and execute what anybody may execute.
bool MayAccess(const records::Inode& inode, const Credentials& caller, unsigned mask);

/// Errors: kPermissionDenied.
Result<void> RequireAccess(const records::Inode& inode, const Credentials& caller, unsigned mask);

bool IsOwnerOrRoot(const records::Inode& inode, const Credentials& caller);
/// Errors: kNotPermitted.
Result<void> RequireOwner(const records::Inode& inode, const Credentials& caller);

/// In a sticky directory a name may be taken away only by the owner of the directory, of what it names, or root.
/// Errors: kNotPermitted.
Result<void> RequireMayRemove(const records::Inode& directory, const records::Inode& victim, const Credentials& caller);

/// For calls that follow an open(2), which checked the mode: a session that has the file open may go on, another is
/// checked now. Errors: kPermissionDenied.
Result<void> RequireDataAccess(Ino ino, const records::Inode& inode, const OpContext& context, unsigned mask);

}  // namespace gabion
