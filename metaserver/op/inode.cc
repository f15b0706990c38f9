#include "metaserver/op/inode.h"

#include <fmt/format.h>

namespace gabion {

namespace {

constexpr std::string_view kCapabilityXattr = "security.capability";

}  // namespace

proto::Attr MakeAttr(OpContext& context, Ino ino, const records::Inode& inode) {
  proto::Attr attr;
  if (IsRegular(inode)) context.shown.push_back(ino);
  attr.set_leased(context.Lease(ino));
  attr.set_ino(ino.value());
  attr.set_mode(inode.mode());
  attr.set_nlink(inode.nlink());
  attr.set_uid(inode.uid());
  attr.set_gid(inode.gid());
  attr.set_rdev(inode.rdev());
  attr.set_size(IsDirectory(inode) ? inode.entries() : inode.size());
  attr.set_atime_ns(inode.atime_ns());
  attr.set_mtime_ns(inode.mtime_ns());
  attr.set_ctime_ns(inode.ctime_ns());
  attr.set_btime_ns(inode.btime_ns());
  attr.set_data_version(inode.data_version());
  attr.set_has_no_xattrs(inode.xattrs() == 0);
  if (IsDirectory(inode)) attr.set_parent(inode.parent());
  attr.set_used_bytes(inode.used_bytes());
  if (inode.has_first_chunk()) {
    attr.mutable_first_chunk()->set_chunk_id(inode.first_chunk().chunk_id());
    attr.mutable_first_chunk()->set_pg_id(inode.first_chunk().pg_id());
  }
  if (inode.has_trim()) {
    proto::TrimMark* trim = attr.mutable_trim();
    trim->set_chunk_index(inode.trim().chunk_index());
    trim->mutable_chunk()->set_chunk_id(inode.trim().chunk().chunk_id());
    trim->mutable_chunk()->set_pg_id(inode.trim().chunk().pg_id());
    trim->set_length_bytes(inode.trim().length_bytes());
    trim->set_generation(inode.trim().generation());
  }
  return attr;
}

proto::Attr MakeWriterAttr(OpContext& context, Ino ino, const records::Inode& inode, bool awaited) {
  proto::Attr attr = MakeAttr(context, ino, inode);
  if (!IsRegular(inode) || !context.LeaseWrite(ino, awaited)) return attr;
  attr.set_leased(true);
  attr.set_write_leased(true);
  attr.set_only_locker(!context.state.sessions.awaiting_holders() &&
                       context.state.locks.IsOnlyOf(context.session->id, ino));
  return attr;
}

Result<records::Inode> GetInode(Txn& txn, Ino ino) {
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
  if (!inode) return Error(ErrorCode::kStale, fmt::format("inode {} is gone", ino.value()));
  return std::move(*inode);
}

Result<records::Inode> GetRegular(Txn& txn, Ino ino) {
  TRY_ASSIGN(records::Inode inode, GetInode(txn, ino));
  if (IsDirectory(inode)) return Error(ErrorCode::kIsDirectory, fmt::format("inode {} is a directory", ino.value()));
  if (!IsRegular(inode))
    return Error(ErrorCode::kInvalidArgument, fmt::format("inode {} is not a regular file", ino.value()));
  return inode;
}

Result<records::Inode> GetDirectory(Txn& txn, Ino ino) {
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
  if (!inode || inode->nlink() == 0)
    return Error(ErrorCode::kNotFound, fmt::format("directory {} was removed", ino.value()));
  if (!IsDirectory(*inode))
    return Error(ErrorCode::kNotDirectory, fmt::format("inode {} is not a directory", ino.value()));
  return std::move(*inode);
}

Result<records::Inode> GetNamedInode(Txn& txn, const records::Dentry& dentry) {
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(Ino(dentry.ino())));
  if (!inode) {
    return Error(ErrorCode::kCorrupt, fmt::format("volume {}: a name leads to inode {}, which does not exist",
                                                  txn.volume().value(), dentry.ino()));
  }
  return std::move(*inode);
}

Result<void> CheckName(std::string_view name) {
  if (name.size() > kMaxNameBytes)
    return Error(ErrorCode::kNameTooLong,
                 fmt::format("a name of {} bytes; {} is the limit", name.size(), kMaxNameBytes));
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument, "not a name: empty, '.', '..', or with '/' or a zero byte");
  }
  return {};
}

void TouchDirectory(records::Inode& directory, std::int64_t now_ns) {
  directory.set_mtime_ns(now_ns);
  directory.set_ctime_ns(now_ns);
}

void KillSuidSgid(records::Inode& inode) {
  std::uint32_t mode = inode.mode() & ~std::uint32_t{S_ISUID};
  if ((mode & S_IXGRP) != 0) mode &= ~std::uint32_t{S_ISGID};
  inode.set_mode(mode);
}

Result<void> KillCapability(Txn& txn, Ino ino, records::Inode& inode) {
  if (inode.xattrs() == 0) return {};
  TRY_ASSIGN(std::optional<records::Xattr> capability, txn.FindXattr(ino, kCapabilityXattr));
  if (!capability) return {};
  txn.DeleteXattr(ino, kCapabilityXattr);
  inode.set_xattrs(inode.xattrs() - 1);
  inode.set_xattr_bytes(inode.xattr_bytes() - kCapabilityXattr.size() - capability->value().size());
  return {};
}

void CountUsed(OpContext& context, records::Inode& inode, std::uint64_t used_bytes) {
  context.effects.used_bytes_delta += static_cast<std::int64_t>(used_bytes - inode.used_bytes());
  inode.set_used_bytes(used_bytes);
}

}  // namespace gabion
