#include <fmt/format.h>

#include "common/env/mutate.h"
#include "metaserver/op/access.h"
#include "metaserver/op/inode.h"
#include "metaserver/op/ops.h"
#include "metaserver/op/removal.h"

namespace gabion::op {

namespace {

// Longer paths exist (mkdir and chdir in turn make them); a directory deeper than this is not moved any more.
constexpr int kMaxDepth = 65536;

/// One of the two places of a rename.
struct Place {
  Ino parent;
  const std::string& name;
  std::optional<records::Dentry> dentry;
  std::optional<records::Inode> inode;  // what the name leads to

  Ino ino() const { return dentry ? Ino(dentry->ino()) : Ino(); }
  bool is_directory() const { return inode && IsDirectory(*inode); }
};

/// The directories that change, of which there may be one only.
class Parents {
 public:
  Parents(Ino from, Ino to, records::Inode from_inode, records::Inode to_inode)
      : from_(from), to_(to), from_inode_(std::move(from_inode)), to_inode_(std::move(to_inode)) {}

  bool same() const { return from_ == to_; }
  records::Inode& from() { return from_inode_; }
  records::Inode& to() { return same() ? from_inode_ : to_inode_; }
  void Stage(Txn& txn) const {
    txn.PutInode(from_, from_inode_);
    if (!same()) txn.PutInode(to_, to_inode_);
  }

 private:
  const Ino from_, to_;
  records::Inode from_inode_, to_inode_;
};

Result<void> LoadPlace(Txn& txn, Place& place) {
  TRY_ASSIGN(place.dentry, txn.FindDentry(place.parent, place.name));
  if (!place.dentry) return {};
  TRY_ASSIGN(place.inode, GetNamedInode(txn, *place.dentry));
  return {};
}

/// Whether `ino` is `directory` or above it. Errors: kNotSupported beyond kMaxDepth, those of Txn.
Result<bool> IsAncestor(Txn& txn, Ino ino, Ino directory) {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    if (directory == ino) return true;
    if (directory == kRootIno) return false;
    TRY_ASSIGN(const records::Inode inode, GetDirectory(txn, directory));
    directory = Ino(inode.parent());
  }
  return Error(ErrorCode::kNotSupported,
               fmt::format("a directory more than {} levels deep cannot be moved to", kMaxDepth));
}

/// May the caller take this name away, and move what it names to another directory?
Result<void> CheckMove(const records::Inode& directory, const records::Inode& moved, bool new_parent,
                       const Credentials& caller) {
  TRY(RequireMayRemove(directory, moved, caller));
  if (new_parent && IsDirectory(moved)) TRY(RequireAccess(moved, caller, kMayWrite));  // its ".." changes
  return {};
}

Result<void> CheckReplace(const Place& source, const Place& target, const records::Inode& directory,
                          const Credentials& caller) {
  TRY(RequireMayRemove(directory, *target.inode, caller));
  if (source.is_directory() && !target.is_directory())
    return Error(ErrorCode::kNotDirectory, fmt::format("'{}' is not a directory", target.name));
  if (!source.is_directory() && target.is_directory())
    return Error(ErrorCode::kIsDirectory, fmt::format("'{}' is a directory", target.name));
  if (target.is_directory() && target.inode->entries() != 0) {
    return Error(ErrorCode::kNotEmpty, fmt::format("'{}' has {} entries", target.name, target.inode->entries()));
  }
  return {};
}

/// Puts what one place names into the other.
void StageMoved(Txn& txn, const Place& moved, const Place& to, std::int64_t now_ns) {
  txn.PutDentry(to.parent, to.name, *moved.dentry);
  records::Inode inode = *moved.inode;
  inode.set_ctime_ns(now_ns);
  if (IsDirectory(inode)) inode.set_parent(to.parent.value());
  txn.PutInode(moved.ino(), inode);
}

Result<proto::RenameReply> Exchange(Txn& txn, OpContext& context, Place& source, Place& target, Parents& parents) {
  if (!target.dentry) return Error(ErrorCode::kNotFound, fmt::format("no '{}' to exchange with", target.name));
  TRY(CheckMove(parents.to(), *target.inode, !parents.same(), context.caller));
  if (target.is_directory() && !parents.same()) {
    TRY_ASSIGN(const bool into_itself, IsAncestor(txn, target.ino(), source.parent));
    if (into_itself) return Error(ErrorCode::kInvalidArgument, "a directory cannot move into itself");
  }
  proto::RenameReply reply;
  reply.set_ino(source.ino().value());
  if (source.ino() == target.ino()) return reply;
  const records::Inode& gaining = source.is_directory() ? parents.to() : parents.from();
  if (source.is_directory() != target.is_directory() && gaining.nlink() >= kMaxLinks)
    return Error(ErrorCode::kTooManyLinks, "a directory has too many subdirectories");
  if (source.is_directory() && !target.is_directory()) {
    parents.from().set_nlink(parents.from().nlink() - 1);
    parents.to().set_nlink(parents.to().nlink() + 1);
  } else if (!source.is_directory() && target.is_directory()) {
    parents.from().set_nlink(parents.from().nlink() + 1);
    parents.to().set_nlink(parents.to().nlink() - 1);
  }
  TouchDirectory(parents.from(), context.now_ns);
  TouchDirectory(parents.to(), context.now_ns);
  parents.Stage(txn);
  StageMoved(txn, source, target, context.now_ns);
  StageMoved(txn, target, source, context.now_ns);
  return reply;
}

Result<proto::RenameReply> Move(Txn& txn, OpContext& context, Place& source, Place& target, Parents& parents) {
  proto::RenameReply reply;
  reply.set_ino(source.ino().value());
  if (target.dentry) {
    // Two names of one file: POSIX has nothing happen.
    if (target.ino() == source.ino()) return reply;
    TRY(CheckReplace(source, target, parents.to(), context.caller));
    reply.set_replaced_ino(target.ino().value());
  }
  if (source.is_directory() && !parents.same() && !target.is_directory() && parents.to().nlink() >= kMaxLinks) {
    return Error(ErrorCode::kTooManyLinks,
                 fmt::format("directory {} has too many subdirectories", target.parent.value()));
  }

  txn.DeleteDentry(source.parent, source.name);
  parents.from().set_entries(parents.from().entries() - 1);
  if (!target.dentry || Mutated("meta.rename_entries")) parents.to().set_entries(parents.to().entries() + 1);
  if (source.is_directory()) {
    parents.from().set_nlink(parents.from().nlink() - 1);
    parents.to().set_nlink(parents.to().nlink() + 1);
  }
  if (target.is_directory()) parents.to().set_nlink(parents.to().nlink() - 1);
  TouchDirectory(parents.from(), context.now_ns);
  TouchDirectory(parents.to(), context.now_ns);
  parents.Stage(txn);
  StageMoved(txn, source, target, context.now_ns);
  if (target.dentry) {
    TRY(DropLink(txn, context, target.ino(), *target.inode));
    const std::optional<std::vector<HandleId>> handles = context.OnlyHandlesOf(target.ino());
    reply.set_replaced_unused(target.inode->nlink() == 0 && handles);
    if (reply.replaced_unused()) AddHandles(*handles, *reply.mutable_replaced_handles());
  }
  return reply;
}

}  // namespace

Result<proto::RenameReply> Rename(Txn& txn, const proto::RenameRequest& request, OpContext& context) {
  TRY(CheckName(request.name()));
  TRY(CheckName(request.new_name()));
  if (request.no_replace() && request.exchange())
    return Error(ErrorCode::kInvalidArgument, "NOREPLACE and EXCHANGE exclude each other");
  Place source{Ino(request.parent()), request.name(), {}, {}};
  Place target{Ino(request.new_parent()), request.new_name(), {}, {}};
  TRY_ASSIGN(records::Inode from, GetDirectory(txn, source.parent));
  TRY_ASSIGN(records::Inode to, GetDirectory(txn, target.parent));
  TRY(RequireAccess(from, context.caller, kMayExecute));
  TRY(RequireAccess(to, context.caller, kMayExecute));
  TRY(LoadPlace(txn, source));
  TRY(LoadPlace(txn, target));
  if (!source.dentry) return Error(ErrorCode::kNotFound, fmt::format("no '{}'", source.name));
  if (target.dentry && request.has_expected_ino())
    TRY(RequireLeadsTo(target.name, target.ino(), Ino(request.expected_ino())));
  if (target.dentry && request.no_replace()) return Error(ErrorCode::kExists, fmt::format("'{}' exists", target.name));
  TRY(RequireAccess(from, context.caller, kMayWrite));
  TRY(RequireAccess(to, context.caller, kMayWrite));
  Parents parents(source.parent, target.parent, std::move(from), std::move(to));
  TRY(CheckMove(parents.from(), *source.inode, !parents.same(), context.caller));
  if (source.is_directory() && !parents.same()) {
    TRY_ASSIGN(const bool into_itself, IsAncestor(txn, source.ino(), target.parent));
    if (into_itself) return Error(ErrorCode::kInvalidArgument, "a directory cannot move into itself");
  }
  return request.exchange() ? Exchange(txn, context, source, target, parents)
                            : Move(txn, context, source, target, parents);
}

}  // namespace gabion::op
