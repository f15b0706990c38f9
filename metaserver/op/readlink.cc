#include <fmt/format.h>

#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

Result<proto::ReadLinkReply> ReadLink(Txn& txn, const proto::ReadLinkRequest& request, OpContext&) {
  TRY_ASSIGN(records::Inode inode, GetInode(txn, Ino(request.ino())));
  if (!S_ISLNK(inode.mode()))
    return Error(ErrorCode::kInvalidArgument, fmt::format("inode {} is not a symbolic link", request.ino()));
  proto::ReadLinkReply reply;
  reply.set_target(std::move(*inode.mutable_symlink_target()));
  return reply;
}

}  // namespace gabion::op
