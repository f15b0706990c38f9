#include "metaserver/op/access.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

Result<proto::LookupReply> Lookup(Txn& txn, const proto::LookupRequest& request, OpContext& context) {
  const Ino parent(request.parent());
  TRY_ASSIGN(const records::Inode directory, GetDirectory(txn, parent));
  TRY(RequireAccess(directory, context.caller, kMayExecute));
  proto::LookupReply reply;
  if (request.name() == ".") {
    *reply.mutable_attr() = MakeAttr(context, parent, directory);
    return reply;
  }
  if (request.name() == "..") {
    const Ino above(directory.parent());
    TRY_ASSIGN(const records::Inode inode, GetDirectory(txn, above));
    *reply.mutable_attr() = MakeAttr(context, above, inode);
    return reply;
  }
  TRY(CheckName(request.name()));
  TRY_ASSIGN(std::optional<records::Dentry> dentry, txn.FindDentry(parent, request.name()));
  reply.set_entries_leased(context.Lease(parent));
  if (!dentry) {
    if (reply.entries_leased()) return reply;
    return Error(ErrorCode::kNotFound, "no such name");  // short: the answer of most lookups
  }
  TRY_ASSIGN(const records::Inode inode, GetNamedInode(txn, *dentry));
  *reply.mutable_attr() = MakeAttr(context, Ino(dentry->ino()), inode);
  return reply;
}

}  // namespace gabion::op
