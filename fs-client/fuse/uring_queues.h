#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gabion::fuse {

/// Which loop serves which of the kernel's queues, of which there is one for each possible CPU: the loop that is pinned
/// to the CPU; CPUs without a loop of their own are dealt out in turn. `loop_cpus[i]` is loop i's CPU, -1 if it has
/// none; there is at least one loop. Pure.
std::vector<std::vector<std::uint16_t>> AssignQueues(unsigned queue_count, const std::vector<int>& loop_cpus);

/// The number of CPUs in a list like "0-3,8", the text of /sys/devices/system/cpu/possible. Errors: kInvalidArgument.
/// Pure.
Result<unsigned> CountCpus(std::string_view list);

}  // namespace gabion::fuse
