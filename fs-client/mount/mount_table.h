#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gabion {

/// A line of /proc/self/mountinfo.
struct MountEntry {
  std::string device;  // "0:45": names the mount's bdi and FUSE connection
  std::string type;    // "fuse.gabion"
  std::string source;
};

/// What is mounted at exactly `mountpoint` (absolute, without links), the topmost one. Pure.
std::optional<MountEntry> FindMount(std::string_view mountinfo, std::string_view mountpoint);

/// The same of this process's mounts, now. Asks the kernel only, never the filesystem mounted there.
std::optional<MountEntry> FindMountNow(std::string_view mountpoint);

}  // namespace gabion
