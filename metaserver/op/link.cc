#include <fmt/format.h>

#include "common/env/mutate.h"
#include "metaserver/op/access.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

Result<proto::LinkReply> Link(Txn& txn, const proto::LinkRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  const Ino parent(request.new_parent());
  TRY(CheckName(request.new_name()));
  TRY_ASSIGN(records::Inode inode, GetInode(txn, ino));
  TRY_ASSIGN(records::Inode directory, GetDirectory(txn, parent));
  if (IsDirectory(inode)) return Error(ErrorCode::kNotPermitted, "a directory has one name");
  TRY(RequireAccess(directory, context.caller, kMayExecute));
  TRY_ASSIGN(std::optional<records::Dentry> taken, txn.FindDentry(parent, request.new_name()));
  if (taken) return Error(ErrorCode::kExists, fmt::format("'{}' exists", request.new_name()));
  TRY(RequireAccess(directory, context.caller, kMayWrite));
  if (inode.nlink() == 0 && !inode.linkable())
    return Error(ErrorCode::kNotFound, fmt::format("inode {} was removed", ino.value()));
  if (inode.nlink() >= kMaxLinks)
    return Error(ErrorCode::kTooManyLinks, fmt::format("inode {} has {} names, the limit", ino.value(), inode.nlink()));

  if (inode.nlink() == 0) {
    inode.set_linkable(false);
    txn.DeleteOrphan(ino);
    context.effects.orphans_removed.push_back(ino);
  }
  if (!Mutated("meta.link_nlink")) inode.set_nlink(inode.nlink() + 1);
  inode.set_ctime_ns(context.now_ns);
  txn.PutInode(ino, inode);
  records::Dentry dentry;
  dentry.set_ino(ino.value());
  dentry.set_type_mode(inode.mode() & S_IFMT);
  txn.PutDentry(parent, request.new_name(), dentry);
  directory.set_entries(directory.entries() + 1);
  TouchDirectory(directory, context.now_ns);
  txn.PutInode(parent, directory);
  proto::LinkReply reply;
  *reply.mutable_attr() = MakeAttr(context, ino, inode);
  return reply;
}

}  // namespace gabion::op
