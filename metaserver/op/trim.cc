#include "metaserver/op/access.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

Result<proto::FinishTrimReply> FinishTrim(Txn& txn, const proto::FinishTrimRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(records::Inode inode, GetRegular(txn, ino));
  TRY(RequireDataAccess(ino, inode, context, kMayWrite));
  // Another generation: the file was cut again meanwhile, and that cut is still to be made.
  if (!inode.has_trim() || inode.trim().generation() != request.generation()) return proto::FinishTrimReply();
  inode.clear_trim();
  txn.PutInode(ino, inode);
  return proto::FinishTrimReply();
}

}  // namespace gabion::op
