#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

Result<void> RunServerRemove(CommandContext& context, std::uint32_t server_id) {
  TRY(context.api.RemoveServer(server_id));
  if (context.json) {
    context.console.out << DumpJson({{"removed", server_id}});
  } else {
    context.console.out << "removed chunkserver " << server_id << "\n";
  }
  return {};
}

}  // namespace

void AddServerRemoveCommand(CLI::App& parent, Command* chosen) {
  auto server_id = std::make_shared<std::uint32_t>(0);
  CLI::App* command = parent.add_subcommand("remove", "Forget a chunkserver that was drained and stopped");
  command->add_option("ID", *server_id, "Its number, as server list prints it")->required();
  command->callback([chosen, server_id] {
    *chosen = [server_id](CommandContext& context) { return RunServerRemove(context, *server_id); };
  });
}

}  // namespace gabion
