#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

Result<proto::GetAttrReply> GetAttr(Txn& txn, const proto::GetAttrRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(const records::Inode inode, GetInode(txn, ino));
  // Pages that are read without a lease are read again each time, which costs more than a recall.
  context.despite_contention = request.for_pages() && IsRegular(inode);
  proto::GetAttrReply reply;
  *reply.mutable_attr() = MakeAttr(context, ino, inode);
  return reply;
}

}  // namespace gabion::op
