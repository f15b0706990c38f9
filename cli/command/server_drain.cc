#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "cli/command/command.h"
#include "cli/command/follow_drain.h"
#include "cli/output/format.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

struct DrainOptions {
  std::uint32_t server_id = 0;
  bool undo = false;
  bool no_wait = false;
};

std::string Answer(const proto::ServerEntry& server, bool undo) {
  if (undo) return fmt::format("chunkserver {} keeps what it has\n", server.server_id());
  if (server.pgs() == 0) return fmt::format("chunkserver {} is drained: it may be stopped\n", server.server_id());
  return fmt::format(
      "chunkserver {} is being drained: {} move to other servers; gabion server list tells when none is left\n",
      server.server_id(), FormatCountOf(server.pgs(), "placement group"));
}

Result<void> RunServerDrain(CommandContext& context, const DrainOptions& options) {
  TRY_ASSIGN(const proto::ServerDrainReply reply, context.api.DrainServer(options.server_id, options.undo));
  proto::ServerEntry server = reply.server();
  if (!options.undo && !options.no_wait) {
    TRY_ASSIGN(server, FollowDrain(context, std::move(server)));
  }
  context.console.out << (context.json ? DumpJson(ServerJson(server)) : Answer(server, options.undo));
  return {};
}

CLI::App* AddCommand(CLI::App& parent, Command* chosen, const char* name, const char* help,
                     const std::shared_ptr<DrainOptions>& options) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_option("ID", options->server_id, "The chunkserver's number, as server list prints it")->required();
  command->callback([chosen, options] {
    *chosen = [options](CommandContext& context) { return RunServerDrain(context, *options); };
  });
  return command;
}

}  // namespace

void AddServerDrainCommand(CLI::App& parent, Command* chosen) {
  auto options = std::make_shared<DrainOptions>();
  CLI::App* command =
      AddCommand(parent, chosen, "drain",
                 "Move everything off a chunkserver, which goes on serving meanwhile; shows how far it is until it is "
                 "done, and Ctrl-C ends only that",
                 options);
  command->add_flag("--no-wait", options->no_wait, "Return as soon as it has begun");
}

void AddServerUndrainCommand(CLI::App& parent, Command* chosen) {
  auto options = std::make_shared<DrainOptions>();
  options->undo = true;
  AddCommand(parent, chosen, "undrain", "Take a drain back", options);
}

}  // namespace gabion
