#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

Result<void> RunPgShow(CommandContext& context, std::uint32_t pg_id) {
  TRY_ASSIGN(const proto::PgListReply reply, context.api.ListGroups(pg_id));
  if (reply.pgs_size() != 1) return Error(ErrorCode::kProtocol, "the metaserver answered for another placement group");
  context.console.out << (context.json ? DumpJson(PgJson(reply.pgs(0))) : PgFacts(reply.pgs(0)));
  return {};
}

}  // namespace

void AddPgShowCommand(CLI::App& parent, Command* chosen) {
  auto pg_id = std::make_shared<std::uint32_t>(0);
  CLI::App* command = parent.add_subcommand("show", "One placement group and its members");
  command->add_option("PG", *pg_id, "Its number, as pg list prints it")
      ->required()
      ->check(CLI::Range(std::uint32_t{1}, UINT32_MAX));
  command->callback(
      [chosen, pg_id] { *chosen = [pg_id](CommandContext& context) { return RunPgShow(context, *pg_id); }; });
}

}  // namespace gabion
