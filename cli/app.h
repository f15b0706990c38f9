#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/admin_api.h"
#include "cli/command/command.h"
#include "cli/settings.h"
#include "common/env/clock.h"

namespace gabion {

/// What the command needs of the world.
struct AppHost {
  Console console;
  EnvironmentLookup environment;
  std::function<std::unique_ptr<AdminApi>(std::vector<Endpoint> metaservers, Duration timeout)> connect;
};

/// Runs `gabion ARGS...` (without the program's name). Every failure is one line on host.console.err.
ExitCode RunApp(const std::vector<std::string>& arguments, const AppHost& host);

}  // namespace gabion
