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
  // Who goes on showing the mark under a lease tells of something to be done that is done: it is done twice at worst.
  // To recall the lease would void, in the middle of anything, what the holder's kernel is being told (docs/fuse.md).
  txn.PutUncached(ino, inode);
  return proto::FinishTrimReply();
}

}  // namespace gabion::op
