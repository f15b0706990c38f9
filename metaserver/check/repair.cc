#include "metaserver/check/repair.h"

#include <fmt/format.h>

#include <algorithm>

#include "metaserver/op/inode.h"

namespace gabion {

namespace {

/// `now`, moved by what it was wrong; nothing if that cannot be.
std::optional<std::uint64_t> Shifted(std::uint64_t now, const proto::CheckFault& fault, std::uint64_t least) {
  const auto shift = static_cast<std::int64_t>(fault.found() - fault.recorded());
  const auto shifted = static_cast<std::int64_t>(now) + shift;
  if (shifted < static_cast<std::int64_t>(least)) return std::nullopt;
  return static_cast<std::uint64_t>(shifted);
}

Result<bool> RepairCount(Txn& txn, const proto::CheckFault& fault) {
  const Ino ino(fault.ino());
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
  if (!inode) return false;
  const auto shift = [&](std::uint64_t now, std::uint64_t least, auto set) {
    const std::optional<std::uint64_t> shifted = Shifted(now, fault, least);
    if (shifted) set(*shifted);
    return shifted.has_value();
  };
  bool done = false;
  switch (fault.kind()) {
    case proto::CHECK_FAULT_LINK_COUNT:
      done = shift(inode->nlink(), 1, [&](std::uint64_t n) { inode->set_nlink(static_cast<std::uint32_t>(n)); });
      break;
    case proto::CHECK_FAULT_ENTRY_COUNT:
      done = shift(inode->entries(), 0, [&](std::uint64_t n) { inode->set_entries(n); });
      break;
    case proto::CHECK_FAULT_CHUNK_COUNT:
      done = shift(inode->mapped_chunks(), 0, [&](std::uint64_t n) { inode->set_mapped_chunks(n); });
      break;
    case proto::CHECK_FAULT_XATTR_COUNT:
      done = shift(inode->xattrs(), 0, [&](std::uint64_t n) { inode->set_xattrs(static_cast<std::uint32_t>(n)); });
      break;
    default:
      done = shift(inode->xattr_bytes(), 0, [&](std::uint64_t n) { inode->set_xattr_bytes(n); });
  }
  if (done) txn.PutInode(ino, *inode);
  return done;
}

bool RepairStats(OpContext& context, const proto::CheckFault& fault) {
  const bool of_inodes = fault.kind() == proto::CHECK_FAULT_VOLUME_INODES;
  const records::VolumeStats& stats = context.state.stats;
  if (!Shifted(of_inodes ? stats.inodes() : stats.used_bytes(), fault, 0)) return false;
  (of_inodes ? context.effects.inodes_delta : context.effects.used_bytes_delta) +=
      static_cast<std::int64_t>(fault.found() - fault.recorded());
  return true;
}

/// The name, if it is still the one that the fault is about.
Result<std::optional<records::Dentry>> FindFaultyName(Txn& txn, const proto::CheckFault& fault) {
  TRY_ASSIGN(std::optional<records::Dentry> dentry, txn.FindDentry(Ino(fault.parent()), fault.name()));
  if (dentry && dentry->ino() != fault.ino()) dentry.reset();
  return dentry;
}

/// The directory has `entries` more names, and `subdirectories` more that are directories.
Result<void> ChangeDirectory(Txn& txn, OpContext& context, Ino ino, int entries, int subdirectories) {
  TRY_ASSIGN(std::optional<records::Inode> directory, txn.FindInode(ino));
  if (!directory) return {};
  const auto add = [](std::uint64_t count, int change) {
    return change < 0 && count == 0 ? 0 : count + static_cast<std::uint64_t>(change);
  };
  directory->set_entries(add(directory->entries(), entries));
  directory->set_nlink(static_cast<std::uint32_t>(add(directory->nlink(), subdirectories)));
  TouchDirectory(*directory, context.now_ns);
  txn.PutInode(ino, *directory);
  return {};
}

Result<bool> RemoveDanglingName(Txn& txn, OpContext& context, const proto::CheckFault& fault) {
  TRY_ASSIGN(std::optional<records::Dentry> dentry, FindFaultyName(txn, fault));
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(Ino(fault.ino())));
  if (!dentry || inode) return false;
  txn.DeleteDentry(Ino(fault.parent()), fault.name());
  TRY(ChangeDirectory(txn, context, Ino(fault.parent()), -1, S_ISDIR(dentry->type_mode()) ? -1 : 0));
  return true;
}

Result<bool> RepairNameType(Txn& txn, OpContext& context, const proto::CheckFault& fault) {
  TRY_ASSIGN(std::optional<records::Dentry> dentry, FindFaultyName(txn, fault));
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(Ino(fault.ino())));
  if (!dentry || !inode || dentry->type_mode() != fault.recorded()) return false;
  const int was_directory = S_ISDIR(dentry->type_mode()) ? 1 : 0;
  dentry->set_type_mode(inode->mode() & S_IFMT);
  txn.PutDentry(Ino(fault.parent()), fault.name(), *dentry);
  TRY(ChangeDirectory(txn, context, Ino(fault.parent()), 0, (IsDirectory(*inode) ? 1 : 0) - was_directory));
  return true;
}

Result<bool> RepairParent(Txn& txn, const proto::CheckFault& fault) {
  const Ino ino(fault.ino());
  TRY_ASSIGN(std::optional<records::Dentry> dentry, FindFaultyName(txn, fault));
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
  if (!dentry || !inode || inode->parent() != fault.recorded()) return false;
  inode->set_parent(fault.parent());
  txn.PutInode(ino, *inode);
  return true;
}

Result<bool> NameLostInode(Txn& txn, OpContext& context, const proto::CheckFault& fault) {
  const Ino ino(fault.ino());
  const std::string name = LostName(ino);
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
  TRY_ASSIGN(std::optional<records::Dentry> taken, txn.FindDentry(kRootIno, name));
  if (!inode || taken) return false;
  const bool is_directory = IsDirectory(*inode);
  // A name that it has been given since counts; a directory's count is of what is in it, and a fault of its own.
  if (!is_directory && inode->nlink() != fault.recorded()) return false;
  if (is_directory) {
    inode->set_parent(kRootIno.value());
  } else {
    inode->set_nlink(1);
  }
  inode->set_ctime_ns(context.now_ns);
  txn.PutInode(ino, *inode);
  records::Dentry dentry;
  dentry.set_ino(ino.value());
  dentry.set_type_mode(inode->mode() & S_IFMT);
  txn.PutDentry(kRootIno, name, dentry);
  TRY(ChangeDirectory(txn, context, kRootIno, 1, is_directory ? 1 : 0));
  if (context.state.orphans.contains(ino)) {
    txn.DeleteOrphan(ino);
    context.effects.orphans_removed.push_back(ino);
  }
  return true;
}

/// Leaves the records to the background, which removes them as those of a large file that was deleted.
Result<bool> ReclaimStrayRecords(Txn& txn, OpContext& context, const proto::CheckFault& fault) {
  const Ino ino(fault.ino());
  TRY_ASSIGN(std::optional<records::Inode> inode, txn.FindInode(ino));
  if (inode) return false;
  txn.PutReclaim(ino);
  context.effects.reclaims_added.push_back(ino);
  return true;
}

}  // namespace

Result<bool> StageRepair(Txn& txn, OpContext& context, const proto::CheckFault& fault) {
  switch (fault.kind()) {
    case proto::CHECK_FAULT_LINK_COUNT:
    case proto::CHECK_FAULT_ENTRY_COUNT:
    case proto::CHECK_FAULT_CHUNK_COUNT:
    case proto::CHECK_FAULT_XATTR_COUNT:
    case proto::CHECK_FAULT_XATTR_BYTES:
      return RepairCount(txn, fault);
    case proto::CHECK_FAULT_VOLUME_INODES:
    case proto::CHECK_FAULT_VOLUME_BYTES:
      return RepairStats(context, fault);
    case proto::CHECK_FAULT_DANGLING_NAME:
      return RemoveDanglingName(txn, context, fault);
    case proto::CHECK_FAULT_NAME_TYPE:
      return RepairNameType(txn, context, fault);
    case proto::CHECK_FAULT_PARENT:
      return RepairParent(txn, fault);
    case proto::CHECK_FAULT_LOST_INODE:
      return NameLostInode(txn, context, fault);
    case proto::CHECK_FAULT_STRAY_RECORDS:
      return ReclaimStrayRecords(txn, context, fault);
    default:
      return false;
  }
}

std::string LostName(Ino ino) {
  return fmt::format("lost+found-{}", ino.value());
}

}  // namespace gabion
