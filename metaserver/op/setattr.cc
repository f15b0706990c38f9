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
  // Else one could make a program that runs with a group one is not in.
  if (!context.caller.is_root() && !context.caller.InGroup(inode.gid())) mode &= ~std::uint32_t{S_ISGID};
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

/// utimes: to the present by whoever may write, to any other time by the owner.
Result<void> ChangeTimes(const proto::SetAttrRequest& request, const OpContext& context, records::Inode& inode,
                         bool may_write) {
  if (request.has_atime_ns() || request.has_mtime_ns()) TRY(RequireOwner(inode, context.caller));
  if ((request.atime_now() || request.mtime_now()) && !IsOwnerOrRoot(inode, context.caller) && !may_write) {
    TRY(RequireAccess(inode, context.caller, kMayWrite));
  }
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
  // ftruncate sets size and time together; who may do the one by an open handle may do the other.
  const bool may_write = request.has_size() && request.by_open_handle() && context.SessionHasOpen(ino);
  TRY(ChangeTimes(request, context, inode, may_write));
  TRY(ChangeSize(txn, request, context, inode));
  // A time that was set explicitly stays, whatever the size did to it.
  if (request.has_mtime_ns()) inode.set_mtime_ns(request.mtime_ns());
  TRY(ChangeOwner(txn, request, context, inode));
  if (request.kill_suid_sgid() && !IsDirectory(inode)) {
    KillSuidSgid(inode);
    TRY(KillCapability(txn, ino, inode));
  }
  TRY(ChangeMode(request, context, inode));
  inode.set_ctime_ns(context.now_ns);
  txn.PutInode(ino, inode);
  proto::SetAttrReply reply;
  *reply.mutable_attr() = MakeAttr(ino, inode);
  return reply;
}

}  // namespace gabion::op
