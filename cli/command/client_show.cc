#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

Result<void> RunClientShow(CommandContext& context, std::uint64_t session_id) {
  TRY_ASSIGN(const proto::ClientShowReply reply, context.api.ShowClient(session_id));
  context.console.out << (context.json ? DumpJson(ShownClientJson(reply)) : ClientFacts(reply));
  return {};
}

}  // namespace

void AddClientShowCommand(CLI::App& parent, Command* chosen) {
  auto session_id = std::make_shared<std::uint64_t>(0);
  CLI::App* command =
      parent.add_subcommand("show", "One client: leases, what it has to return, locks, what it has not stored yet");
  command->add_option("SESSION", *session_id, "Its session's number, as client list prints it")
      ->required()
      ->check(CLI::PositiveNumber);
  command->callback([chosen, session_id] {
    *chosen = [session_id](CommandContext& context) { return RunClientShow(context, *session_id); };
  });
}

}  // namespace gabion
