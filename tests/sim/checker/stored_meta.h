#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/base/ids.h"
#include "metaserver/store/records.pb.h"
#include "tests/sim/sim_cluster.h"

namespace gabion {

/// The metaserver's tables as they lie in its store (docs/formats/meta_keys.md), of the cluster's one volume.
struct StoredMeta {
  /// Reads them. What does not parse is a line of `problems`.
  explicit StoredMeta(SimCluster& cluster);

  std::map<Ino, records::Inode> inodes;
  std::map<std::pair<Ino, std::string>, records::Dentry> dentries;  // by directory and name
  std::map<std::pair<Ino, std::uint64_t>, records::Chunk> chunks;   // by inode and index; without first chunks
  std::map<Ino, std::uint64_t> xattrs;                              // how many records there are
  std::set<Ino> orphans;
  std::set<Ino> reclaims;
  std::set<std::pair<ServerId, ChunkId>> garbage;
  std::map<PgId, records::Group> groups;
  std::map<ServerId, std::string> servers;  // the machines' names
  records::VolumeStats stats;
  std::string problems;

 private:
  void Read(const std::string& key, const std::string& value);
};

}  // namespace gabion
