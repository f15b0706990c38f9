#pragma once

#include <functional>
#include <iosfwd>

#include "cli/admin_api.h"
#include "common/base/result.h"
#include "common/env/clock.h"

namespace CLI {
class App;
}

namespace gabion {

/// How the `gabion` command ends: part of its interface, for scripts.
enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,       // the cluster said no, or the user did not confirm
  kUsage = 2,        // the command line or the configuration is wrong
  kUnreachable = 3,  // no metaserver answered
  kFaults = 4,       // a check or scrub found faults, and they are still there
};

/// The terminal, or what stands for it in a test.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool interactive = false;      // a person can answer questions
  bool out_is_terminal = false;  // what was printed can be overwritten
  /// Returns after that time; or, with false, when Ctrl-C is pressed or was pressed since it said so last. From the
  /// first call on Ctrl-C does not end the program.
  std::function<bool(Duration)> wait{};
};

struct CommandContext {
  AdminApi& api;
  Console console;
  bool json = false;
  ExitCode exit_code = ExitCode::kDone;  // of a command that succeeds
};

/// What a command line asks for: prints its answer, or fails with a line for the user.
using Command = std::function<Result<void>(CommandContext&)>;

/// Each adds one command to `parent`; parsing a line that names it sets `*chosen`, which outlives the parser.
void AddStatusCommand(CLI::App& parent, Command* chosen);
void AddVolumeCreateCommand(CLI::App& parent, Command* chosen);
void AddVolumeListCommand(CLI::App& parent, Command* chosen);
void AddVolumeShowCommand(CLI::App& parent, Command* chosen);
void AddVolumeDeleteCommand(CLI::App& parent, Command* chosen);
void AddServerListCommand(CLI::App& parent, Command* chosen);
void AddServerDrainCommand(CLI::App& parent, Command* chosen);
void AddServerUndrainCommand(CLI::App& parent, Command* chosen);
void AddServerMaintenanceCommand(CLI::App& parent, Command* chosen);
void AddServerRemoveCommand(CLI::App& parent, Command* chosen);
void AddClientListCommand(CLI::App& parent, Command* chosen);
void AddClientShowCommand(CLI::App& parent, Command* chosen);
void AddClientEvictCommand(CLI::App& parent, Command* chosen);
void AddPgListCommand(CLI::App& parent, Command* chosen);
void AddPgShowCommand(CLI::App& parent, Command* chosen);
void AddScrubStartCommand(CLI::App& parent, Command* chosen);
void AddScrubStatusCommand(CLI::App& parent, Command* chosen);
void AddEventsCommand(CLI::App& parent, Command* chosen);
void AddCheckCommand(CLI::App& parent, Command* chosen);

}  // namespace gabion
