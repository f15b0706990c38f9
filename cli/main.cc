#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/interrupt.h"
#include "cli/rpc_admin_api.h"
#include "common/base/log.h"

namespace {

std::optional<std::string> FromEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

int main(int argc, char** argv) {
  // The answer says what went wrong; lines of the RPC layer's own would only be in its way.
  if (!gabion::OpenLog("", gabion::LogLevel::kError)) return EXIT_FAILURE;
  const gabion::AppHost host{{std::cin, std::cout, std::cerr, isatty(STDIN_FILENO) != 0},
                             FromEnvironment,
                             gabion::MakeRpcAdminApi,
                             gabion::SleepUnlessInterrupted};
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return static_cast<int>(gabion::RunApp(arguments, host));
}
