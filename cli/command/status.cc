#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

Result<void> RunStatus(CommandContext& context) {
  TRY_ASSIGN(const proto::AdminStatusReply status, context.api.Status());
  context.console.out << (context.json ? DumpJson(StatusJson(status)) : StatusText(status));
  return {};
}

}  // namespace

void AddStatusCommand(CLI::App& parent, Command* chosen) {
  parent.add_subcommand("status", "Health, space, volumes and servers of the cluster")->callback([chosen] {
    *chosen = RunStatus;
  });
}

}  // namespace gabion
