#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "metaserver/store/records.pb.h"
#include "proto/admin.pb.h"

namespace gabion {

/// What a volume's tables hold under one inode number.
struct InodeFacts {
  std::optional<records::Inode> inode;
  bool is_orphan = false;
  bool awaits_reclaim = false;
  std::uint64_t entries = 0;         // names in it
  std::uint64_t subdirectories = 0;  // those of them that say they are
  std::uint64_t chunks = 0;          // records of the chunk table
  std::uint64_t xattrs = 0;
  std::uint64_t xattr_bytes = 0;
};

/// Where the inode's record says something else than the tables. What leads to the inode is another matter
/// (name_window.h). Pure.
std::vector<proto::CheckFault> CompareCounts(VolumeId volume, Ino ino, const InodeFacts& facts);

/// The same for the volume's statistics. Pure.
std::vector<proto::CheckFault> CompareStats(VolumeId volume, const records::VolumeStats& recorded,
                                            const records::VolumeStats& found);

}  // namespace gabion
