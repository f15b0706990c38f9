#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

constexpr std::uint32_t kDefaultReplicas = 3;
constexpr std::uint32_t kMaxReplicas = 16;  // a mistyped number should not reach the cluster

struct CreateOptions {
  std::string name;
  std::uint32_t replicas = kDefaultReplicas;
};

Result<void> RunVolumeCreate(CommandContext& context, const CreateOptions& options) {
  TRY_ASSIGN(const proto::VolumeCreateReply reply, context.api.CreateVolume(options.name, options.replicas));
  if (context.json) {
    context.console.out << DumpJson(VolumeJson(reply.volume()));
  } else {
    context.console.out << "created volume " << reply.volume().name() << " with " << reply.volume().replicas()
                        << (reply.volume().replicas() == 1 ? " replica\n" : " replicas\n");
  }
  return {};
}

}  // namespace

void AddVolumeCreateCommand(CLI::App& parent, Command* chosen) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App* command = parent.add_subcommand("create", "Make an empty volume");
  command->add_option("NAME", options->name, "The new volume's name")->required();
  command->add_option("--replicas", options->replicas, "Copies of every file, each on another chunkserver")
      ->check(CLI::Range(1u, kMaxReplicas))
      ->capture_default_str();
  command->callback([chosen, options] {
    *chosen = [options](CommandContext& context) { return RunVolumeCreate(context, *options); };
  });
}

}  // namespace gabion
