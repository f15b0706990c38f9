#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

Result<void> RunVolumeShow(CommandContext& context, const std::string& name) {
  TRY_ASSIGN(const proto::VolumeShowReply reply, context.api.ShowVolume(name));
  context.console.out << (context.json ? DumpJson(VolumeJson(reply.volume())) : VolumeFacts(reply.volume()));
  return {};
}

}  // namespace

void AddVolumeShowCommand(CLI::App& parent, Command* chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = parent.add_subcommand("show", "One volume");
  command->add_option("NAME", *name, "The volume's name")->required();
  command->callback(
      [chosen, name] { *chosen = [name](CommandContext& context) { return RunVolumeShow(context, *name); }; });
}

}  // namespace gabion
