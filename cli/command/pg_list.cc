#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

constexpr std::uint32_t kAllGroups = 0;

Result<void> RunPgList(CommandContext& context) {
  TRY_ASSIGN(const proto::PgListReply reply, context.api.ListGroups(kAllGroups));
  context.console.out << (context.json ? DumpJson(PgsJson(reply.pgs())) : PgTable(reply.pgs()));
  return {};
}

}  // namespace

void AddPgListCommand(CLI::App& parent, Command* chosen) {
  parent.add_subcommand("list", "All placement groups: who has their data, and who lacks some")->callback([chosen] {
    *chosen = RunPgList;
  });
}

}  // namespace gabion
