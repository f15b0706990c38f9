#include <fmt/format.h>

#include "metaserver/op/access.h"
#include "metaserver/op/content_size.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/open_check.h"
#include "metaserver/op/ops.h"
#include "metaserver/op/removal.h"

namespace gabion::op {

namespace {

constexpr std::size_t kMaxSymlinkTargetBytes = 4095;

Result<void> CheckRequest(const proto::CreateRequest& request, const OpContext& context) {
  const std::uint32_t type = request.mode() & S_IFMT;
  const bool nameless = request.name().empty();
  if (nameless && (!S_ISREG(type) || request.handle_id() == 0)) {
    return Error(ErrorCode::kInvalidArgument, "what has no name is a regular file, and open");
  }
  if (!nameless) TRY(CheckName(request.name()));
  if (!S_ISREG(type) && !S_ISDIR(type) && !S_ISLNK(type) && !S_ISCHR(type) && !S_ISBLK(type) && !S_ISFIFO(type) &&
      !S_ISSOCK(type)) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("mode {:o} has no file type", request.mode()));
  }
  if (S_ISLNK(type)) {
    if (request.symlink_target().empty()) return Error(ErrorCode::kNotFound, "a symbolic link to nothing");
    if (request.symlink_target().size() > kMaxSymlinkTargetBytes) {
      return Error(ErrorCode::kNameTooLong, fmt::format("a symbolic link's target of {} bytes; {} is the limit",
                                                        request.symlink_target().size(), kMaxSymlinkTargetBytes));
    }
    if (request.symlink_target().find('\0') != std::string::npos) {
      return Error(ErrorCode::kInvalidArgument, "a symbolic link's target with a zero byte");
    }
  }
  if (request.handle_id() != 0 && !S_ISREG(type))
    return Error(ErrorCode::kInvalidArgument, "only a regular file is made open");
  const bool is_whiteout = S_ISCHR(type) && request.rdev() == 0;  // overlayfs's mark of a removed name, no device
  if ((S_ISCHR(type) || S_ISBLK(type)) && !is_whiteout && !context.caller.is_root()) {
    return Error(ErrorCode::kNotPermitted, "only root may make devices");
  }
  return {};
}

Result<void> CheckIds(Txn& txn, const proto::CreateRequest& request, const OpContext& context) {
  const Session* session = context.session;
  if (session == nullptr) return {};
  if (!session->inos.Contains(request.ino())) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("inode number {} is not delegated to session {}", request.ino(), session->id.value()));
  }
  if (request.first_chunk_id() != 0 && !session->chunk_ids.Contains(request.first_chunk_id())) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("chunk id {} is not delegated to session {}",
                                                          request.first_chunk_id(), session->id.value()));
  }
  TRY_ASSIGN(std::optional<records::Inode> taken, txn.FindInode(Ino(request.ino())));
  if (taken) return Error(ErrorCode::kInvalidArgument, fmt::format("inode number {} is in use", request.ino()));
  return {};
}

/// Gives chunk 0 a place, so that a small file needs no further question. Without one the file is a hole, and the
/// writer hears from AllocateChunks why.
void PlaceFirstChunk(const proto::CreateRequest& request, OpContext& context, records::Inode& inode) {
  if (request.first_chunk_id() == 0) return;
  Result<PgId> pg = context.placement.Choose(context.state.record.replicas(), context.random);
  if (!pg) return;
  inode.mutable_first_chunk()->set_chunk_id(request.first_chunk_id());
  inode.mutable_first_chunk()->set_pg_id(pg->value());
}

records::Inode MakeInode(const proto::CreateRequest& request, const records::Inode& directory, OpContext& context) {
  const Credentials& caller = context.caller;
  records::Inode inode;
  std::uint32_t mode = request.mode() & (S_IFMT | 07777);
  inode.set_gid(caller.gid);
  if ((directory.mode() & S_ISGID) != 0) {
    inode.set_gid(directory.gid());
    if (S_ISDIR(mode)) {
      mode |= S_ISGID;
    } else if ((mode & S_ISGID) != 0 && (mode & S_IXGRP) != 0 && !caller.is_root() &&
               !caller.InGroup(directory.gid())) {
      mode &= ~std::uint32_t{S_ISGID};  // a program of a group that its maker is not in
    }
  }
  if (S_ISLNK(mode)) mode = S_IFLNK | 0777;
  inode.set_mode(mode);
  inode.set_uid(caller.uid);
  inode.set_nlink(request.name().empty() ? 0 : S_ISDIR(mode) ? 2 : 1);
  inode.set_atime_ns(context.now_ns);
  inode.set_mtime_ns(context.now_ns);
  inode.set_ctime_ns(context.now_ns);
  inode.set_btime_ns(context.now_ns);
  inode.set_data_version(context.state.NextDataVersion(0));
  if (S_ISCHR(mode) || S_ISBLK(mode)) inode.set_rdev(request.rdev());
  if (S_ISDIR(mode)) inode.set_parent(request.parent());
  if (S_ISLNK(mode)) {
    inode.set_symlink_target(request.symlink_target());
    inode.set_size(request.symlink_target().size());
  }
  if (S_ISREG(mode)) PlaceFirstChunk(request, context, inode);
  return inode;
}

/// open(O_CREAT) of a name that is there.
Result<proto::CreateReply> OpenExisting(Txn& txn, const proto::CreateRequest& request, const records::Dentry& dentry,
                                        OpContext& context) {
  const Ino ino(dentry.ino());
  if (S_ISDIR(dentry.type_mode())) return Error(ErrorCode::kIsDirectory, "the name is a directory");
  if (!S_ISREG(dentry.type_mode()))
    return Error(ErrorCode::kStale, "the name is not a regular file any more: look it up again");
  TRY_ASSIGN(records::Inode inode, GetNamedInode(txn, dentry));
  TRY(RequireOpenAccess(inode, context.caller, request.open_flags(), request.truncate()));
  TRY(StageHandle(context, HandleId(request.handle_id()), ino));
  if (request.truncate()) {
    TRY(TruncateAtOpen(txn, context, ino, inode));
    if (!inode.has_first_chunk()) {
      if (request.first_chunk_id() != 0 && !context.session->chunk_ids.Contains(request.first_chunk_id())) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("chunk id {} is not delegated to session {}",
                                                              request.first_chunk_id(), context.session->id.value()));
      }
      PlaceFirstChunk(request, context, inode);
    }
    txn.PutInode(ino, inode);
  }
  proto::CreateReply reply;
  *reply.mutable_attr() =
      request.want_write_lease() ? MakeWriterAttr(context, ino, inode) : MakeAttr(context, ino, inode);
  return reply;
}

}  // namespace

Result<proto::CreateReply> Create(Txn& txn, const proto::CreateRequest& request, OpContext& context) {
  TRY(CheckRequest(request, context));
  const Ino parent(request.parent());
  const Ino ino(request.ino());
  const bool nameless = request.name().empty();
  TRY_ASSIGN(records::Inode directory, GetDirectory(txn, parent));
  TRY(RequireAccess(directory, context.caller, kMayExecute));
  if (!nameless) {
    TRY_ASSIGN(std::optional<records::Dentry> taken, txn.FindDentry(parent, request.name()));
    if (taken) {
      if (request.exclusive() || request.handle_id() == 0)
        return Error(ErrorCode::kExists, fmt::format("'{}' exists", request.name()));
      return OpenExisting(txn, request, *taken, context);
    }
  }
  TRY(RequireAccess(directory, context.caller, kMayWrite));
  TRY(CheckIds(txn, request, context));
  if (S_ISDIR(request.mode()) && directory.nlink() >= kMaxLinks) {
    return Error(ErrorCode::kTooManyLinks,
                 fmt::format("directory {} has {} subdirectories, the limit", parent.value(), directory.nlink() - 2));
  }

  records::Inode inode = MakeInode(request, directory, context);
  if (nameless) {
    inode.set_linkable(!request.exclusive());
    txn.PutOrphan(ino);
    context.effects.orphans_added.push_back(ino);
  } else {
    records::Dentry dentry;
    dentry.set_ino(ino.value());
    dentry.set_type_mode(inode.mode() & S_IFMT);
    txn.PutDentry(parent, request.name(), dentry);
    directory.set_entries(directory.entries() + 1);
    if (IsDirectory(inode)) directory.set_nlink(directory.nlink() + 1);
    TouchDirectory(directory, context.now_ns);
    txn.PutInode(parent, directory);
  }
  txn.PutInode(ino, inode);
  context.effects.inodes_delta += 1;
  if (request.handle_id() != 0) TRY(StageHandle(context, HandleId(request.handle_id()), ino));
  proto::CreateReply reply;
  *reply.mutable_attr() =
      request.want_write_lease() ? MakeWriterAttr(context, ino, inode) : MakeAttr(context, ino, inode);
  reply.set_created(true);
  return reply;
}

}  // namespace gabion::op
