#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "fs-client/mount/mount_options.h"
#include "fs-client/mount/mount_source.h"

namespace gabion {

/// What the command line says.
struct MountCommand {
  enum class Action { kMount, kHelp, kVersion };

  Action action = Action::kMount;
  MountSource source;
  std::string mountpoint;
  MountOptions options;
  bool foreground = false;
  bool fake = false;  // mount(8)'s -f: everything but the mount
  bool verbose = false;

  /// `program` is argv[0], `arguments` what follows it. Under the name mount.SOMETHING it takes what mount(8) gives its
  /// helpers (SOURCE DIR [-sfnv] [-N NS] [-o OPTIONS] [-t TYPE], where -f is "fake" and -s ignores unknown options),
  /// else its own (where -f is "foreground"). Errors: kInvalidArgument, a line for the user. Pure.
  static Result<MountCommand> Parse(std::string_view program, const std::vector<std::string>& arguments);
};

/// The text of --help.
std::string MountUsage();

}  // namespace gabion
