#pragma once

#include <cerrno>
#include <string>

#include "common/base/result.h"

namespace gabion {

/// What the kernel said, as an Error: "opening /data/slab.0: No space left on device". Full disks and quotas are
/// kNoSpace, everything else `otherwise`.
Error OsError(std::string doing, int error_number, ErrorCode otherwise = ErrorCode::kIo);

}  // namespace gabion
