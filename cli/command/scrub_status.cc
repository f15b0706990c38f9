#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

Result<void> RunScrubStatus(CommandContext& context) {
  TRY_ASSIGN(const proto::ServerListReply reply, context.api.ListServers());
  context.console.out << (context.json ? DumpJson(ScrubsJson(reply.servers())) : ScrubTable(reply.servers()));
  return {};
}

}  // namespace

void AddScrubStatusCommand(CLI::App& parent, Command* chosen) {
  parent.add_subcommand("status", "What each chunkserver scrubs, and has repaired since it was started")
      ->callback([chosen] { *chosen = RunScrubStatus; });
}

}  // namespace gabion
