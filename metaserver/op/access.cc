#include "metaserver/op/access.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace gabion {

bool MayAccess(const records::Inode& inode, const Credentials& caller, unsigned mask) {
  if (caller.is_root()) {
    const bool executable = S_ISDIR(inode.mode()) || (inode.mode() & 0111) != 0;
    return (mask & kMayExecute) == 0 || executable;
  }
  unsigned bits = inode.mode();
  if (caller.uid == inode.uid()) {
    bits >>= 6;
  } else if (caller.InGroup(inode.gid())) {
    bits >>= 3;
  }
  return (bits & mask) == mask;
}

Result<void> RequireAccess(const records::Inode& inode, const Credentials& caller, unsigned mask) {
  if (MayAccess(inode, caller, mask)) return {};
  return Error(ErrorCode::kPermissionDenied,
               fmt::format("mode {:04o} of {}:{} denies {}{}{} to {}:{}", inode.mode() & 07777, inode.uid(),
                           inode.gid(), (mask & kMayRead) != 0 ? "r" : "", (mask & kMayWrite) != 0 ? "w" : "",
                           (mask & kMayExecute) != 0 ? "x" : "", caller.uid, caller.gid));
}

bool IsOwnerOrRoot(const records::Inode& inode, const Credentials& caller) {
  return caller.is_root() || caller.uid == inode.uid();
}

Result<void> RequireOwner(const records::Inode& inode, const Credentials& caller) {
  if (IsOwnerOrRoot(inode, caller)) return {};
  return Error(ErrorCode::kNotPermitted,
               fmt::format("only the owner, {}, or root may; the caller is {}", inode.uid(), caller.uid));
}

Result<void> RequireMayRemove(const records::Inode& directory, const records::Inode& victim,
                              const Credentials& caller) {
  if ((directory.mode() & S_ISVTX) == 0 || IsOwnerOrRoot(victim, caller) || caller.uid == directory.uid()) return {};
  return Error(ErrorCode::kNotPermitted,
               fmt::format("the directory is sticky, and the file belongs to {}, not to {}", victim.uid(), caller.uid));
}

Result<void> RequireDataAccess(Ino ino, const records::Inode& inode, const OpContext& context, unsigned mask) {
  if (context.SessionHasOpen(ino)) return {};
  return RequireAccess(inode, context.caller, mask);
}

}  // namespace gabion
