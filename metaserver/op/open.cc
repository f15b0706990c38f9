#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "metaserver/op/access.h"
#include "metaserver/op/content_size.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/open_check.h"
#include "metaserver/op/ops.h"
#include "metaserver/op/removal.h"

namespace gabion {

namespace {

// The kernel's mark of a file that is opened to be executed; not in <fcntl.h>.
constexpr std::uint32_t kOpenForExec = 040;
// Files that one Release removes; the background (orphan_reclaim.cc) finds the others.
constexpr std::size_t kMaxRemovals = 64;
// More than a client names at once (OwnOpens::kMaxNamed).
constexpr int kMaxNamedHandles = 4096;

}  // namespace

Result<void> RequireOpenAccess(const records::Inode& inode, const Credentials& caller, std::uint32_t flags,
                               bool truncate) {
  unsigned mask = 0;
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      mask = (flags & kOpenForExec) != 0 ? kMayExecute : kMayRead;
      break;
    case O_WRONLY:
      mask = kMayWrite;
      break;
    default:
      mask = kMayRead | kMayWrite;
      break;
  }
  if (truncate) mask |= kMayWrite;
  if (IsDirectory(inode) && (mask & kMayWrite) != 0)
    return Error(ErrorCode::kIsDirectory, "a directory is not opened for writing");
  return RequireAccess(inode, caller, mask);
}

Result<void> StageHandle(OpContext& context, HandleId handle, Ino ino) {
  if (!handle || context.session == nullptr) return Error(ErrorCode::kInvalidArgument, "an open needs a handle");
  const auto& handles = context.session->handles;
  if (auto known = handles.find(handle); known != handles.end() && known->second != ino) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("handle {} is open on inode {}", handle.value(), known->second.value()));
  }
  if (handles.size() >= SessionTable::kMaxHandlesPerSession) {
    return Error(ErrorCode::kOverloaded,
                 fmt::format("session {} has {} files open, the limit", context.session->id.value(), handles.size()));
  }
  context.effects.opened.push_back({handle, ino});
  return {};
}

Result<void> TruncateAtOpen(Txn& txn, OpContext& context, Ino ino, records::Inode& inode) {
  if (!IsRegular(inode)) return {};
  TRY(SetContentSize(txn, context, ino, inode, 0));
  inode.set_mtime_ns(context.now_ns);
  inode.set_ctime_ns(context.now_ns);
  if (!context.caller.is_root()) {
    KillSuidSgid(inode);
    TRY(KillCapability(txn, ino, inode));
  }
  return {};
}

}  // namespace gabion

namespace gabion::op {

Result<proto::OpenReply> Open(Txn& txn, const proto::OpenRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  const bool truncate = (request.flags() & O_TRUNC) != 0;
  TRY_ASSIGN(records::Inode inode, GetInode(txn, ino));
  // A file without a name can be opened again only by who has it open.
  if (inode.nlink() == 0 && !context.SessionHasOpen(ino) && !context.state.sessions.awaiting_reclaim())
    return Error(ErrorCode::kStale, fmt::format("inode {} was removed", ino.value()));
  TRY(RequireOpenAccess(inode, context.caller, request.flags(), truncate));
  TRY(StageHandle(context, HandleId(request.handle_id()), ino));
  if (truncate) {
    if (!context.seq) return Error(ErrorCode::kInvalidArgument, "an open that truncates needs a sequence number");
    if (context.session->read_only) return Error(ErrorCode::kReadOnly, "the volume is mounted read-only");
    TRY(TruncateAtOpen(txn, context, ino, inode));
    txn.PutInode(ino, inode);
  }
  proto::OpenReply reply;
  *reply.mutable_attr() =
      request.want_write_lease() ? MakeWriterAttr(context, ino, inode) : MakeAttr(context, ino, inode);
  return reply;
}

/// A file that lost its last name while the lease was gone is still the client's, as long as it is there.
Result<proto::NameHandlesReply> NameHandles(Txn& txn, const proto::NameHandlesRequest& request, OpContext& context) {
  if (request.handles_size() > kMaxNamedHandles)
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} handles at once", request.handles_size()));
  proto::NameHandlesReply reply;
  for (const proto::OpenHandle& open : request.handles()) {
    TRY_ASSIGN(const std::optional<records::Inode> inode, txn.FindInode(Ino(open.ino())));
    if (inode) {
      TRY(StageHandle(context, HandleId(open.handle_id()), Ino(open.ino())));
    } else {
      reply.add_lost_handles(open.handle_id());
    }
  }
  return reply;
}

Result<proto::AcquireWriteReply> AcquireWrite(Txn& txn, const proto::AcquireWriteRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(const records::Inode inode, GetRegular(txn, ino));
  context.exclusive.push_back(ino);
  proto::AcquireWriteReply reply;
  *reply.mutable_attr() = MakeWriterAttr(context, ino, inode, true);
  return reply;
}

Result<proto::ReleaseReply> Release(Txn& txn, const proto::ReleaseRequest& request, OpContext& context) {
  if (context.session == nullptr) return Error(ErrorCode::kInvalidArgument, "a release needs a session");
  std::vector<HandleId>& closed = context.effects.closed;
  for (std::uint64_t number : request.handle_ids()) {
    const HandleId handle(number);
    if (context.session->handles.contains(handle)) closed.push_back(handle);
  }
  std::sort(closed.begin(), closed.end());
  closed.erase(std::unique(closed.begin(), closed.end()), closed.end());

  // Whose last handle is among them, and who has no name, goes now.
  std::map<Ino, std::uint32_t> counts;
  for (HandleId handle : closed) {
    const Ino ino = context.session->handles.at(handle);
    if (context.state.orphans.contains(ino)) ++counts[ino];
  }
  std::size_t removed = 0;
  for (const auto& [ino, count] : counts) {
    if (removed == kMaxRemovals) break;
    if (context.state.sessions.OpenCount(ino) > count || context.state.sessions.awaiting_reclaim()) continue;
    TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
    if (inode) TRY(RemoveInode(txn, context, ino, *inode));
    ++removed;
  }
  return proto::ReleaseReply();
}

Result<void> RemoveOrphan(Txn& txn, OpContext& context, Ino ino) {
  if (!context.state.orphans.contains(ino) || context.state.MayBeOpen(ino)) return {};
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
  if (inode && inode->nlink() == 0) return RemoveInode(txn, context, ino, *inode);
  txn.DeleteOrphan(ino);
  context.effects.orphans_removed.push_back(ino);
  return {};
}

}  // namespace gabion::op
