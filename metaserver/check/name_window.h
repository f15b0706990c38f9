#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "metaserver/store/records.pb.h"
#include "proto/admin.pb.h"

namespace gabion {

/// Counts the names that lead to each inode of a range of numbers. Names are sorted by directory and not by where they
/// lead, so a range of inodes is held in memory while all names pass by. Pure.
class NameWindow {
 public:
  /// Inodes of one window: 128 MiB.
  static constexpr std::size_t kMaxInodes = 4 << 20;

  /// Covers numbers from `first` on.
  NameWindow(VolumeId volume, Ino first) : volume_(volume), first_(first) {}

  /// In the order of numbers.
  void Add(Ino ino, const records::Inode& inode, bool is_orphan);
  std::size_t size() const { return inodes_.size(); }
  /// The window covers numbers up to and including this. Before Count; without it, all that there are.
  void CloseAt(Ino last) { last_ = last; }

  /// What is wrong with this name alone, if it leads into the window.
  std::optional<proto::CheckFault> Count(Ino parent, std::string_view name, const records::Dentry& dentry);
  /// What is wrong with inodes, once all names were counted. Calls `visit(proto::CheckFault)`.
  template <typename Visit>
  void VisitFaults(Visit visit) {
    for (const Counted& inode : inodes_) {
      if (std::optional<proto::CheckFault> fault = Judge(inode)) visit(std::move(*fault));
    }
    for (const auto& [ino, fault] : misplaced_) {
      if (Find(ino)->names == 1) visit(fault);
    }
  }

 private:
  struct Counted {
    Ino ino;
    Ino parent;  // of a directory, as it says
    std::uint32_t nlink = 0;
    std::uint32_t names = 0;
    std::uint32_t type_mode = 0;
    bool is_orphan = false;
  };
  static_assert(sizeof(Counted) <= 32);

  /// Null if there is no such inode.
  Counted* Find(Ino ino);
  std::optional<proto::CheckFault> Judge(const Counted& inode) const;

  const VolumeId volume_;
  const Ino first_;
  std::optional<Ino> last_;
  std::vector<Counted> inodes_;                 // sorted
  std::map<Ino, proto::CheckFault> misplaced_;  // directories with a name where they do not think they are
};

}  // namespace gabion
