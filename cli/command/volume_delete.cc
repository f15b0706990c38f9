#include <CLI/CLI.hpp>
#include <istream>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "cli/command/command.h"
#include "cli/output/format.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

struct DeleteOptions {
  std::string name;
  bool force = false;
  bool yes = false;
};

/// Asks for the volume's name: a `y` is typed too easily for what cannot be undone.
Result<void> Confirm(CommandContext& context, const proto::VolumeEntry& volume) {
  if (!context.console.interactive) {
    return Error(ErrorCode::kInvalidArgument, "deleting volume '" + volume.name() +
                                                  "' cannot be undone: say --yes to delete it without being asked");
  }
  context.console.err << "This deletes volume '" << volume.name() << "' with "
                      << FormatCountOf(volume.inodes(), "inode") << ", " << FormatBytes(volume.used_bytes())
                      << ", for ever. Type its name to go on: " << std::flush;
  std::string answer;
  std::getline(context.console.in, answer);
  if (answer != volume.name()) return Error(ErrorCode::kCancelled, "not confirmed; nothing was deleted");
  return {};
}

Result<void> RunVolumeDelete(CommandContext& context, const DeleteOptions& options) {
  if (!options.yes) {
    TRY_ASSIGN(const proto::VolumeShowReply shown, context.api.ShowVolume(options.name));
    TRY(Confirm(context, shown.volume()));
  }
  if (Result<void> deleted = context.api.DeleteVolume(options.name, options.force); !deleted) {
    if (deleted.error().code() == ErrorCode::kNotEmpty && !options.force) {
      return Error(ErrorCode::kNotEmpty, "volume '" + options.name + "' has files; delete them first, or say --force");
    }
    return deleted.error();
  }
  if (context.json) {
    context.console.out << DumpJson({{"deleted", options.name}});
  } else {
    context.console.out << "deleted volume " << options.name << "\n";
  }
  return {};
}

}  // namespace

void AddVolumeDeleteCommand(CLI::App& parent, Command* chosen) {
  auto options = std::make_shared<DeleteOptions>();
  CLI::App* command = parent.add_subcommand("delete", "Delete a volume; asks first");
  command->add_option("NAME", options->name, "The volume's name")->required();
  command->add_flag("--force", options->force, "Delete it even if it has files");
  command->add_flag("-y,--yes", options->yes, "Do not ask");
  command->callback([chosen, options] {
    *chosen = [options](CommandContext& context) { return RunVolumeDelete(context, *options); };
  });
}

}  // namespace gabion
