#pragma once

#include <cstddef>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/env/clock.h"

namespace gabion {

/// Which inodes were wanted by several sessions lately: nobody is granted a lease on them for a while, for it would be
/// recalled at once. The while is a second, and doubles each time that the inode is wanted again soon after. Pure.
class Contention {
 public:
  static constexpr Duration kShortest = std::chrono::seconds(1);
  static constexpr Duration kLongest = std::chrono::seconds(16);
  /// So many inodes are remembered; then those whose time is over go, and if those are few, all.
  static constexpr std::size_t kMaxInodes = 65536;

  /// A lease on the inode had to be recalled.
  void Note(Ino ino, TimePoint now);
  bool IsContended(Ino ino, TimePoint now) const;

 private:
  struct Pause {
    TimePoint until;
    Duration length;
  };
  void MakeRoom(TimePoint now);

  std::unordered_map<Ino, Pause> pauses_;
};

}  // namespace gabion
