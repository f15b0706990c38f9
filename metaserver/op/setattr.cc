#include <fmt/format.h>

#include "metaserver/op/access.h"
#include "metaserver/op/content_size.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

namespace {

/// chown: root changes both, the owner the group to one of theirs. Privileges given by mode bits do not survive it.
Result<void> ChangeOwner(Txn& txn, const proto::SetAttrRequest& request, const OpContext& context,
                         records::Inode& inode) {
  if (!request.has_uid() && !request.has_gid()) return {};
  const Credentials& caller = context.caller;
  const bool new_uid = request.has_uid() && request.uid() != inode.uid();
  const bool new_gid = request.has_gid() && request.gid() != inode.gid();
  if (new_uid && !caller.is_root()) return Error(ErrorCode::kNotPermitted, "only root may give a file away");
  TRY(RequireOwner(inode, caller));
  if (new_gid && !caller.is_root() && !caller.InGroup(request.gid())) {
    return Error(ErrorCode::kNotPermitted, fmt::format("{} is not in group {}", caller.uid, request.gid()));
  }
  if (request.has_uid()) inode.set_uid(request.uid());
  if (request.has_gid()) inode.set_gid(request.gid());
  if (!IsDirectory(inode)) {
    KillSuidSgid(inode);
    TRY(KillCapability(txn, Ino(request.ino()), inode));
  }
  return {};
}

Result<void> ChangeMode(const proto::SetAttrRequest& request, const OpContext& context, records::Inode& inode) {
  if (!request.has_mode()) return {};
  TRY(RequireOwner(inode, context.caller));
  std::uint32_t mode = request.mode() & 07777;
  // Else one could make a program that runs with a group one is not in. Whether one is may take the groups to know.
  if ((mode & S_ISGID) != 0 && !context.caller.is_root() && !context.caller.InGroup(inode.gid())) {
    if (context.caller.groups.empty())
      return Error(ErrorCode::kNotPermitted, fmt::format("sgid takes being in group {}", inode.gid()));
    mode &= ~std::uint32_t{S_ISGID};
  }
  inode.set_mode((inode.mode() & S_IFMT) | mode);
  return {};
}

Result<void> ChangeSize(Txn& txn, const proto::SetAttrRequest& request, OpContext& context, records::Inode& inode) {
  if (!request.has_size()) return {};
  const Ino ino(request.ino());
  if (IsDirectory(inode)) return Error(ErrorCode::kIsDirectory, "a directory has no size to set");
  if (!IsRegular(inode)) return Error(ErrorCode::kInvalidArgument, "only a regular file has a size to set");
  if (!request.by_open_handle() || !context.SessionHasOpen(ino)) TRY(RequireAccess(inode, context.caller, kMayWrite));
  TRY(SetContentSize(txn, context, ino, inode, request.size()));
  inode.set_mtime_ns(context.now_ns);
  if (!context.caller.is_root()) {
    KillSuidSgid(inode);
    TRY(KillCapability(txn, ino, inode));
  }
  return {};
}

/// What a write takes away; a change of size or owner has been checked by itself.
Result<void> KillPrivileges(Txn& txn, const proto::SetAttrRequest& request, const OpContext& context,
                            records::Inode& inode) {
  if (!request.kill_suid_sgid() || IsDirectory(inode)) return {};
  const Ino ino(request.ino());
  if (!request.has_size() && !request.has_uid() && !request.has_gid() && !IsOwnerOrRoot(inode, context.caller))
    TRY(RequireDataAccess(ino, inode, context, kMayWrite));
  KillSuidSgid(inode);
  return KillCapability(txn, ino, inode);
}

/// utimes: both times to the present by whoever may write, anything else by the owner.
Result<void> ChangeTimes(const proto::SetAttrRequest& request, const OpContext& context, records::Inode& inode) {
  if (request.has_atime_ns() || request.has_mtime_ns()) TRY(RequireOwner(inode, context.caller));
  if (request.atime_now() != request.mtime_now() && !request.has_size()) TRY(RequireOwner(inode, context.caller));
  // A change of size brings its own time, and its own check.
  if (request.atime_now() && request.mtime_now() && !request.has_size() && !IsOwnerOrRoot(inode, context.caller))
    TRY(RequireAccess(inode, context.caller, kMayWrite));
  if (request.atime_now()) inode.set_atime_ns(context.now_ns);
  if (request.mtime_now()) inode.set_mtime_ns(context.now_ns);
  if (request.has_atime_ns()) inode.set_atime_ns(request.atime_ns());
  if (request.has_mtime_ns()) inode.set_mtime_ns(request.mtime_ns());
  return {};
}

}  // namespace

Result<proto::SetAttrReply> SetAttr(Txn& txn, const proto::SetAttrRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(records::Inode inode, GetInode(txn, ino));
  TRY(ChangeTimes(request, context, inode));
  TRY(ChangeSize(txn, request, context, inode));
  // A time that was set explicitly stays, whatever the size did to it.
  if (request.has_mtime_ns()) inode.set_mtime_ns(request.mtime_ns());
  TRY(ChangeOwner(txn, request, context, inode));
  TRY(KillPrivileges(txn, request, context, inode));
  TRY(ChangeMode(request, context, inode));
  inode.set_ctime_ns(context.now_ns);
  txn.PutInode(ino, inode);
  proto::SetAttrReply reply;
  *reply.mutable_attr() = MakeAttr(context, ino, inode);
  return reply;
}

}  // namespace gabion::op
