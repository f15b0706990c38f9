#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "fs-client/mount/mount_command.h"
#include "fs-client/vfs/vfs.h"

namespace gabion {

/// Exit statuses, as mount(8) has them.
inline constexpr int kExitUsage = 1;
inline constexpr int kExitMountFailed = 32;

/// The filesystem behind a mount: the client core, or a test's stand-in.
class MountCore {
 public:
  virtual ~MountCore() = default;
  /// On a loop. Errors are lines for the user.
  virtual Task<Result<void>> Start() = 0;
  virtual Vfs& vfs() = 0;
  virtual void SetInvalidator(CacheInvalidator* invalidator) = 0;
  /// On a loop: flushes, and ends what still runs.
  virtual Task<void> Stop() = 0;
};

/// `loops` outlive the core; `mountpoint` is absolute.
using MakeMountCore = std::function<std::unique_ptr<MountCore>(std::vector<Env*> loops, const MountCommand& command)>;

/// The whole program behind gabion-mount: reads the command line, goes into the background unless told otherwise,
/// mounts, serves until unmounted or signalled, unmounts. Returns the exit status: 0, kExitUsage or
/// kExitMountFailed.
int RunMountProgram(int argc, char** argv, const MakeMountCore& make_core);

}  // namespace gabion
