#include "metaserver/check/name_window.h"

#include <sys/stat.h>

#include <algorithm>

#include "metaserver/check/check_log.h"

namespace gabion {

namespace {

/// A volume with more of them needs more than one repair.
constexpr std::size_t kMaxMisplaced = CheckLog::kMaxFaults;

proto::CheckFault NameFault(proto::CheckFaultKind kind, VolumeId volume, const records::Dentry& dentry, Ino parent,
                            std::string_view name) {
  proto::CheckFault fault = MakeFault(kind, volume, Ino(dentry.ino()));
  fault.set_parent(parent.value());
  fault.set_name(std::string(name));
  fault.set_repair(proto::CHECK_REPAIR_POSSIBLE);
  return fault;
}

}  // namespace

void NameWindow::Add(Ino ino, const records::Inode& inode, bool is_orphan) {
  inodes_.push_back({ino, Ino(inode.parent()), inode.nlink(), 0, inode.mode() & S_IFMT, is_orphan});
}

NameWindow::Counted* NameWindow::Find(Ino ino) {
  auto found = std::lower_bound(inodes_.begin(), inodes_.end(), ino,
                                [](const Counted& inode, Ino wanted) { return inode.ino < wanted; });
  return found != inodes_.end() && found->ino == ino ? &*found : nullptr;
}

std::optional<proto::CheckFault> NameWindow::Count(Ino parent, std::string_view name, const records::Dentry& dentry) {
  const Ino ino(dentry.ino());
  if (ino < first_ || (last_ && ino > *last_)) return std::nullopt;
  Counted* inode = Find(ino);
  if (inode == nullptr) {
    proto::CheckFault fault = NameFault(proto::CHECK_FAULT_DANGLING_NAME, volume_, dentry, parent, name);
    fault.set_recorded(dentry.type_mode());
    return fault;
  }
  ++inode->names;
  if (dentry.type_mode() != inode->type_mode) {
    proto::CheckFault fault = NameFault(proto::CHECK_FAULT_NAME_TYPE, volume_, dentry, parent, name);
    fault.set_recorded(dentry.type_mode());
    fault.set_found(inode->type_mode);
    return fault;
  }
  if (S_ISDIR(inode->type_mode) && inode->parent != parent && misplaced_.size() < kMaxMisplaced) {
    proto::CheckFault fault = NameFault(proto::CHECK_FAULT_PARENT, volume_, dentry, parent, name);
    fault.set_recorded(inode->parent.value());
    fault.set_found(parent.value());
    misplaced_[ino] = std::move(fault);
  }
  return std::nullopt;
}

std::optional<proto::CheckFault> NameWindow::Judge(const Counted& inode) const {
  const bool is_removed = inode.nlink == 0 && inode.is_orphan;
  if (inode.names == 0 && !is_removed && inode.ino != kRootIno)
    return MakeCountFault(proto::CHECK_FAULT_LOST_INODE, volume_, inode.ino, inode.nlink, 0);
  if (!S_ISDIR(inode.type_mode)) {
    if (inode.nlink == inode.names) return std::nullopt;
    return MakeCountFault(proto::CHECK_FAULT_LINK_COUNT, volume_, inode.ino, inode.nlink, inode.names);
  }
  const std::uint32_t wanted = inode.ino == kRootIno || is_removed ? 0 : 1;
  if (inode.names == wanted) return std::nullopt;
  proto::CheckFault fault = MakeCountFault(proto::CHECK_FAULT_DIRECTORY_NAMES, volume_, inode.ino, wanted, inode.names);
  fault.set_repair(proto::CHECK_REPAIR_IMPOSSIBLE);
  return fault;
}

}  // namespace gabion
