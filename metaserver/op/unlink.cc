#include <fmt/format.h>

#include "metaserver/op/access.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"
#include "metaserver/op/removal.h"

namespace gabion::op {

Result<proto::UnlinkReply> Unlink(Txn& txn, const proto::UnlinkRequest& request, OpContext& context) {
  const Ino parent(request.parent());
  TRY(CheckName(request.name()));
  TRY_ASSIGN(records::Inode directory, GetDirectory(txn, parent));
  TRY(RequireAccess(directory, context.caller, kMayExecute));
  TRY_ASSIGN(std::optional<records::Dentry> dentry, txn.FindDentry(parent, request.name()));
  if (!dentry) return Error(ErrorCode::kNotFound, fmt::format("no '{}'", request.name()));
  TRY(RequireAccess(directory, context.caller, kMayWrite));
  const Ino ino(dentry->ino());
  if (request.has_expected_ino()) TRY(RequireLeadsTo(request.name(), ino, Ino(request.expected_ino())));
  TRY_ASSIGN(records::Inode inode, GetNamedInode(txn, *dentry));
  TRY(RequireMayRemove(directory, inode, context.caller));
  if (IsDirectory(inode)) return Error(ErrorCode::kIsDirectory, fmt::format("'{}' is a directory", request.name()));

  txn.DeleteDentry(parent, request.name());
  directory.set_entries(directory.entries() - 1);
  TouchDirectory(directory, context.now_ns);
  txn.PutInode(parent, directory);
  TRY(DropLink(txn, context, ino, inode));
  proto::UnlinkReply reply;
  reply.set_ino(ino.value());
  reply.set_nlink(inode.nlink());
  if (inode.nlink() == 0) {
    const std::optional<std::vector<HandleId>> handles = context.OnlyHandlesOf(ino);
    reply.set_unused(handles.has_value());
    if (handles) AddHandles(*handles, *reply.mutable_open_handles());
  }
  return reply;
}

}  // namespace gabion::op
