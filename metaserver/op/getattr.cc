#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

Result<proto::GetAttrReply> GetAttr(Txn& txn, const proto::GetAttrRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(const records::Inode inode, GetInode(txn, ino));
  proto::GetAttrReply reply;
  *reply.mutable_attr() = MakeAttr(context, ino, inode);
  return reply;
}

}  // namespace gabion::op
