#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace gabion {

/// The kernel's boot id: equal on all processes of a machine, different after every start. Containers of a host share
/// it. Errors: kIo if /proc is not there.
Result<std::string> ReadBootId();

/// For logs and failure domains.
std::string HostName();

/// The CPUs this process may run on, ascending.
std::vector<int> UsableCpus();

}  // namespace gabion
