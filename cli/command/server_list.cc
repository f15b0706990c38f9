#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

Result<void> RunServerList(CommandContext& context) {
  TRY_ASSIGN(const proto::ServerListReply reply, context.api.ListServers());
  context.console.out << (context.json ? DumpJson(ServersJson(reply.servers())) : ServerTable(reply.servers()));
  return {};
}

}  // namespace

void AddServerListCommand(CLI::App& parent, Command* chosen) {
  parent.add_subcommand("list", "All chunkservers")->callback([chosen] { *chosen = RunServerList; });
}

}  // namespace gabion
