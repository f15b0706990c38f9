#pragma once

#include <memory>
#include <string>

#include "common/env/disk.h"
#include "common/env/real/blocking_pool.h"

namespace gabion {

/// A directory of the host's filesystem. `directory` must exist; `pool` outlives the disk, its files and their calls.
/// Errors: kIo if it cannot be opened, or the boot id cannot be read.
Result<std::unique_ptr<Disk>> OpenRealDisk(std::string directory, BlockingPool& pool);

}  // namespace gabion
