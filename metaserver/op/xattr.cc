#include <fmt/format.h>

#include "common/base/byte_units.h"
#include "metaserver/op/access.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"

namespace gabion::op {

namespace {

constexpr std::size_t kMaxXattrNameBytes = 255;
constexpr std::size_t kMaxXattrValueBytes = 64 * kKiB;
// All of one inode's: their names fit listxattr(2)'s 64 KiB, and a listing or a removal stays short.
constexpr std::uint32_t kMaxXattrs = 256;
constexpr std::uint64_t kMaxXattrTotalBytes = 512 * kKiB;

enum class Namespace { kUser, kTrusted, kSecurity };

Result<Namespace> NamespaceOf(std::string_view name) {
  if (name.size() > kMaxXattrNameBytes)
    return Error(ErrorCode::kRange,
                 fmt::format("an attribute name of {} bytes; {} is the limit", name.size(), kMaxXattrNameBytes));
  if (name.find('\0') != std::string_view::npos)
    return Error(ErrorCode::kInvalidArgument, "an attribute name with a zero byte");
  struct Prefix {
    std::string_view text;
    Namespace name_space;
  };
  constexpr Prefix kPrefixes[] = {
      {"user.", Namespace::kUser}, {"trusted.", Namespace::kTrusted}, {"security.", Namespace::kSecurity}};
  for (const Prefix& prefix : kPrefixes) {
    if (!name.starts_with(prefix.text)) continue;
    if (name.size() == prefix.text.size())
      return Error(ErrorCode::kInvalidArgument, "an attribute name with nothing after its namespace");
    return prefix.name_space;
  }
  return Error(ErrorCode::kNotSupported, fmt::format("attributes like '{}' are not kept", name));
}

Result<void> CheckRead(const records::Inode& inode, std::string_view name, const Credentials& caller) {
  TRY_ASSIGN(const Namespace name_space, NamespaceOf(name));
  switch (name_space) {
    case Namespace::kUser:
      if (!IsRegular(inode) && !IsDirectory(inode))
        return Error(ErrorCode::kNoAttribute, "only files and directories have user attributes");
      return RequireAccess(inode, caller, kMayRead);
    case Namespace::kTrusted:
      if (!caller.is_root()) return Error(ErrorCode::kNoAttribute, "only root sees trusted attributes");
      return {};
    case Namespace::kSecurity:
      return {};
  }
  return {};
}

Result<void> CheckWrite(const records::Inode& inode, std::string_view name, const Credentials& caller) {
  TRY_ASSIGN(const Namespace name_space, NamespaceOf(name));
  if (name_space != Namespace::kUser) {
    if (!caller.is_root()) return Error(ErrorCode::kNotPermitted, "only root sets trusted and security attributes");
    return {};
  }
  if (!IsRegular(inode) && !IsDirectory(inode))
    return Error(ErrorCode::kNotPermitted, "only files and directories have user attributes");
  // Who may write into a sticky directory is anybody: there the owner alone sets attributes.
  if (IsDirectory(inode) && (inode.mode() & S_ISVTX) != 0) TRY(RequireOwner(inode, caller));
  return RequireAccess(inode, caller, kMayWrite);
}

}  // namespace

Result<proto::SetXattrReply> SetXattr(Txn& txn, const proto::SetXattrRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(records::Inode inode, GetInode(txn, ino));
  TRY(CheckWrite(inode, request.name(), context.caller));
  if (request.value().size() > kMaxXattrValueBytes) {
    return Error(ErrorCode::kArgumentTooLong, fmt::format("an attribute value of {} bytes; {} is the limit",
                                                          request.value().size(), kMaxXattrValueBytes));
  }
  TRY_ASSIGN(std::optional<records::Xattr> old, txn.FindXattr(ino, request.name()));
  if (old && request.create_only())
    return Error(ErrorCode::kExists, fmt::format("attribute '{}' exists", request.name()));
  if (!old && request.replace_only())
    return Error(ErrorCode::kNoAttribute, fmt::format("no attribute '{}'", request.name()));
  if (!old) {
    inode.set_xattrs(inode.xattrs() + 1);
    inode.set_xattr_bytes(inode.xattr_bytes() + request.name().size());
  }
  inode.set_xattr_bytes(inode.xattr_bytes() - (old ? old->value().size() : 0) + request.value().size());
  if (inode.xattrs() > kMaxXattrs || inode.xattr_bytes() > kMaxXattrTotalBytes) {
    return Error(ErrorCode::kNoSpace, fmt::format("an inode has at most {} attributes with {} bytes together",
                                                  kMaxXattrs, kMaxXattrTotalBytes));
  }
  records::Xattr xattr;
  xattr.set_value(request.value());
  txn.PutXattr(ino, request.name(), xattr);
  inode.set_ctime_ns(context.now_ns);
  txn.PutInode(ino, inode);
  proto::SetXattrReply reply;
  *reply.mutable_attr() = MakeAttr(context, ino, inode);
  return reply;
}

Result<proto::GetXattrReply> GetXattr(Txn& txn, const proto::GetXattrRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(const records::Inode inode, GetInode(txn, ino));
  TRY(CheckRead(inode, request.name(), context.caller));
  std::optional<records::Xattr> xattr;
  if (inode.xattrs() > 0) {
    TRY_ASSIGN(xattr, txn.FindXattr(ino, request.name()));
  }
  if (!xattr) return Error(ErrorCode::kNoAttribute, "no such attribute");
  proto::GetXattrReply reply;
  reply.set_value(std::move(*xattr->mutable_value()));
  return reply;
}

Result<proto::ListXattrReply> ListXattr(Txn& txn, const proto::ListXattrRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(const records::Inode inode, GetInode(txn, ino));
  proto::ListXattrReply reply;
  TRY_ASSIGN(std::vector<std::string> names, txn.ListXattrs(ino, inode.xattrs()));
  for (std::string& name : names) {
    if (name.starts_with("trusted.") && !context.caller.is_root()) continue;
    reply.add_names(std::move(name));
  }
  return reply;
}

Result<proto::RemoveXattrReply> RemoveXattr(Txn& txn, const proto::RemoveXattrRequest& request, OpContext& context) {
  const Ino ino(request.ino());
  TRY_ASSIGN(records::Inode inode, GetInode(txn, ino));
  TRY(CheckWrite(inode, request.name(), context.caller));
  TRY_ASSIGN(std::optional<records::Xattr> old, txn.FindXattr(ino, request.name()));
  if (!old) return Error(ErrorCode::kNoAttribute, fmt::format("no attribute '{}'", request.name()));
  txn.DeleteXattr(ino, request.name());
  inode.set_xattrs(inode.xattrs() - 1);
  inode.set_xattr_bytes(inode.xattr_bytes() - request.name().size() - old->value().size());
  inode.set_ctime_ns(context.now_ns);
  txn.PutInode(ino, inode);
  proto::RemoveXattrReply reply;
  *reply.mutable_attr() = MakeAttr(context, ino, inode);
  return reply;
}

}  // namespace gabion::op
