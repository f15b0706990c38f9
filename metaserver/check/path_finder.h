#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/base/ids.h"
#include "common/env/kv_store.h"

namespace gabion {

/// Where inodes are in a volume's tree. A record of a directory says where it is, one of a file does not: the names of
/// files are found by walking over all names, once for all that are wanted.
class PathFinder {
 public:
  /// Longer paths are not told.
  static constexpr int kMaxDepth = 256;
  static constexpr std::size_t kMaxPathBytes = 4096;

  /// `snapshot` outlives it.
  PathFinder(KvSnapshot& snapshot, VolumeId volume) : snapshot_(snapshot), volume_(volume) {}

  /// Finds a name of each. Errors: the snapshot's; kCorrupt, kVersionMismatch of a record.
  Task<Result<void>> FindNames(std::set<Ino> wanted);
  /// From the volume's root, "/a/b"; empty if there is none, or of a file that was not asked for. Errors: as FindNames.
  Task<Result<std::string>> PathOf(Ino ino);

 private:
  struct Place {
    Ino parent;
    std::string name;
  };

  /// Of a directory, by what its record says; nothing if that is wrong.
  Task<Result<std::optional<Place>>> FindDirectory(Ino ino);

  KvSnapshot& snapshot_;
  const VolumeId volume_;
  std::map<Ino, std::optional<Place>> places_;
};

}  // namespace gabion
