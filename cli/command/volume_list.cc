#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

Result<void> RunVolumeList(CommandContext& context) {
  TRY_ASSIGN(const proto::VolumeListReply reply, context.api.ListVolumes());
  context.console.out << (context.json ? DumpJson(VolumesJson(reply.volumes())) : VolumeTable(reply.volumes()));
  return {};
}

}  // namespace

void AddVolumeListCommand(CLI::App& parent, Command* chosen) {
  parent.add_subcommand("list", "All volumes")->callback([chosen] { *chosen = RunVolumeList; });
}

}  // namespace gabion
