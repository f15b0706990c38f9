#include "metaserver/check/inode_counts.h"

#include "metaserver/check/check_log.h"
#include "metaserver/op/inode.h"

namespace gabion {

namespace {

/// Adds a fault where two counts differ.
class CountComparison {
 public:
  CountComparison(VolumeId volume, Ino ino, std::vector<proto::CheckFault>& faults)
      : volume_(volume), ino_(ino), faults_(faults) {}

  void Expect(proto::CheckFaultKind kind, std::uint64_t recorded, std::uint64_t found) {
    if (recorded != found) faults_.push_back(MakeCountFault(kind, volume_, ino_, recorded, found));
  }

 private:
  const VolumeId volume_;
  const Ino ino_;
  std::vector<proto::CheckFault>& faults_;
};

/// Records of an inode that is not there.
void CompareWithoutInode(VolumeId volume, Ino ino, const InodeFacts& facts, std::vector<proto::CheckFault>& faults) {
  if (facts.entries > 0) {
    faults.push_back(MakeFault(proto::CHECK_FAULT_LOST_NAMES, volume, ino));
    faults.back().set_found(facts.entries);
  }
  if (facts.awaits_reclaim || facts.chunks + facts.xattrs == 0) return;
  faults.push_back(MakeCountFault(proto::CHECK_FAULT_STRAY_RECORDS, volume, ino, 0, facts.chunks + facts.xattrs));
}

}  // namespace

std::vector<proto::CheckFault> CompareCounts(VolumeId volume, Ino ino, const InodeFacts& facts) {
  std::vector<proto::CheckFault> faults;
  if (!facts.inode) {
    CompareWithoutInode(volume, ino, facts, faults);
    return faults;
  }
  const records::Inode& inode = *facts.inode;
  CountComparison compare(volume, ino, faults);
  if (IsDirectory(inode)) {
    const bool is_removed = inode.nlink() == 0 && facts.is_orphan;
    compare.Expect(proto::CHECK_FAULT_LINK_COUNT, inode.nlink(), is_removed ? 0 : 2 + facts.subdirectories);
  }
  compare.Expect(proto::CHECK_FAULT_ENTRY_COUNT, inode.entries(), facts.entries);
  compare.Expect(proto::CHECK_FAULT_CHUNK_COUNT, inode.mapped_chunks(), facts.chunks);
  compare.Expect(proto::CHECK_FAULT_XATTR_COUNT, inode.xattrs(), facts.xattrs);
  compare.Expect(proto::CHECK_FAULT_XATTR_BYTES, inode.xattr_bytes(), facts.xattr_bytes);
  return faults;
}

std::vector<proto::CheckFault> CompareStats(VolumeId volume, const records::VolumeStats& recorded,
                                            const records::VolumeStats& found) {
  std::vector<proto::CheckFault> faults;
  CountComparison compare(volume, Ino(), faults);
  compare.Expect(proto::CHECK_FAULT_VOLUME_INODES, recorded.inodes(), found.inodes());
  compare.Expect(proto::CHECK_FAULT_VOLUME_BYTES, recorded.used_bytes(), found.used_bytes());
  return faults;
}

}  // namespace gabion
