#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

/// All pages of the list. Errors: those of AdminApi::ListClients; kProtocol: it has no end.
Result<ClientEntries> ListAll(AdminApi& api, const std::string& volume) {
  ClientEntries clients;
  proto::ClientListRequest request;
  request.set_volume(volume);
  for (;;) {
    TRY_ASSIGN(const proto::ClientListReply page, api.ListClients(request));
    clients.MergeFrom(page.clients());
    if (!page.more()) return clients;
    if (page.clients().empty())
      return Error(ErrorCode::kProtocol, "the metaserver lists no clients and says there are more");
    request.set_after_volume_id(page.clients().rbegin()->volume_id());
    request.set_after_session_id(page.clients().rbegin()->session_id());
  }
}

Result<void> RunClientList(CommandContext& context, const std::string& volume) {
  TRY_ASSIGN(const ClientEntries clients, ListAll(context.api, volume));
  context.console.out << (context.json ? DumpJson(ClientsJson(clients)) : ClientTable(clients));
  return {};
}

}  // namespace

void AddClientListCommand(CLI::App& parent, Command* chosen) {
  auto volume = std::make_shared<std::string>();
  CLI::App* command = parent.add_subcommand("list", "All clients: what they hold, and who keeps others waiting");
  command->add_option("--volume", *volume, "Only those of this volume")->type_name("NAME");
  command->callback(
      [chosen, volume] { *chosen = [volume](CommandContext& context) { return RunClientList(context, *volume); }; });
}

}  // namespace gabion
