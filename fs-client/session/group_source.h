#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "fs-client/vfs/vfs.h"

namespace gabion {

/// Finds a caller's supplementary groups, which no FUSE request carries. Asked only after a check failed without them,
/// so that ordinary calls cost nothing. Any thread; must not block for long.
class GroupSource {
 public:
  virtual ~GroupSource() = default;
  /// Empty if there are none or the process is gone.
  virtual std::vector<std::uint32_t> GroupsOf(const Caller& caller) = 0;
};

/// The groups in the text of a /proc/PID/status file; at most kMaxGroups of them.
std::vector<std::uint32_t> ParseProcStatusGroups(std::string_view status);

inline constexpr std::size_t kMaxGroups = 65536;  // NGROUPS_MAX

/// Reads /proc/PID/status.
std::shared_ptr<GroupSource> MakeProcGroupSource();

}  // namespace gabion
