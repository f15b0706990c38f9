#include <fmt/format.h>

#include <algorithm>

#include "common/base/byte_units.h"
#include "common/env/mutate.h"
#include "metaserver/op/access.h"
#include "metaserver/op/content_size.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"
#include "proto/limits.h"

namespace gabion::op {

namespace {

/// Notes which chunks have been stored: from now on it is a fault if one is not (check/chunk_pass.h). A chunk that has
/// lost its place meanwhile was not the one that was written.
Result<void> MarkWritten(Txn& txn, const proto::CommitWriteRequest& request, records::Inode& inode) {
  const Ino ino(request.ino());
  for (int i = 0; i < std::min(request.written_size(), kMaxWrittenChunks); ++i) {
    const proto::WrittenChunk& written = request.written(i);
    TRY_ASSIGN(std::optional<records::Chunk> chunk, FindLiveChunk(txn, ino, inode, written.index()));
    if (!chunk || chunk->chunk_id() != written.chunk_id() || chunk->written()) continue;
    chunk->set_written(true);
    if (written.index() == 0) {
      *inode.mutable_first_chunk() = *chunk;
    } else {
      txn.PutChunk(ino, written.index(), *chunk);
    }
  }
  return {};
}

/// What was written under a lease that was lost since may not be shown, also if the session has got another one.
Result<void> RequireLease(const proto::CommitWriteRequest& request, const OpContext& context) {
  if (!request.under_lease() || Mutated("lease.commit_lost")) return {};
  const Session& session = *context.session;
  if (session.MayReclaim())
    return Error(ErrorCode::kUnavailable, "the session has to be resumed first, and name its leases");
  if (request.era() != context.state.leases.era() || request.resumed_at() != session.resumed_at)
    return Error(ErrorCode::kResumed,
                 "made before the session was resumed, which may have lost the lease, and got another");
  if (context.IsWriter(Ino(request.ino()))) return {};
  return Error(ErrorCode::kLeaseLost, fmt::format("inode {} may have been read or changed since it was written under a "
                                                  "lease that the session has lost",
                                                  request.ino()));
}

}  // namespace

Result<proto::CommitWriteReply> CommitWrite(Txn& txn, const proto::CommitWriteRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(records::Inode inode, GetRegular(txn, ino));
  TRY(RequireDataAccess(ino, inode, context, kMayWrite));
  TRY(RequireLease(request, context));
  if (request.end_bytes() > kMaxFileBytes) {
    return Error(ErrorCode::kTooLarge,
                 fmt::format("a write up to byte {}; {} is the limit", request.end_bytes(), kMaxFileBytes));
  }
  const std::uint64_t version_before = inode.data_version();
  if (!request.keep_size() && request.end_bytes() > inode.size()) {
    TRY(SetContentSize(txn, context, ino, inode, request.end_bytes()));
  }
  inode.set_data_version(context.state.NextDataVersion(version_before));
  TRY(MarkWritten(txn, request, inode));

  // `added_bytes` is an estimate, and a writer that repeats itself would count twice: content that ends with the file
  // cannot take more than the file's length.
  std::uint64_t used_bytes = inode.used_bytes() + std::min(request.added_bytes(), kMaxFileBytes);
  if (!request.keep_size())
    used_bytes = std::min(used_bytes, std::max(inode.used_bytes(), RoundUp(inode.size(), kBlockBytes)));
  CountUsed(context, inode, std::min(used_bytes, kMaxFileBytes));

  inode.set_mtime_ns(request.mtime_ns() != 0 ? request.mtime_ns() : context.now_ns);
  // When it was written, not when that came here: who wrote it has seen that time already. It only goes on, and not
  // beyond the present.
  inode.set_ctime_ns(std::clamp(request.mtime_ns(), std::min(inode.ctime_ns() + 1, context.now_ns), context.now_ns));
  if (!context.caller.is_root()) {
    KillSuidSgid(inode);
    TRY(KillCapability(txn, ino, inode));
  }
  txn.PutInode(ino, inode);
  if (request.downgrade() != 0) context.effects.downgraded = OpEffects::Downgrade{ino, request.downgrade()};
  proto::CommitWriteReply reply;
  *reply.mutable_attr() = MakeAttr(context, ino, inode);
  return reply;
}

}  // namespace gabion::op
