#include "fs-client/mount/mount_command.h"

namespace gabion {
namespace {

bool IsMountHelper(std::string_view program) {
  std::size_t slash = program.rfind('/');
  if (slash != std::string_view::npos) program.remove_prefix(slash + 1);
  return program.starts_with("mount.");
}

Error UsageError(const std::string& problem) {
  return {ErrorCode::kInvalidArgument, problem +
                                           "; usage: gabion-mount HOST:PORT:/VOLUME[/SUBDIR] MOUNTPOINT "
                                           "[-o OPTIONS] [-f], or --help"};
}

/// Words collected while the arguments are walked through.
struct Words {
  std::vector<std::string> positional;
  std::string options;

  void AddOptions(std::string_view more) {
    if (!options.empty()) options += ",";
    options += more;
  }
};

/// One cluster of single-letter flags; `value` is what follows those that take one. True if `value` was used.
Result<bool> ApplyFlags(std::string_view flags, const std::string* value, bool helper, MountCommand& command,
                        Words& words) {
  for (std::size_t i = 0; i < flags.size(); ++i) {
    char flag = flags[i];
    if (flag == 'h' || flag == 'V') {
      command.action = flag == 'h' ? MountCommand::Action::kHelp : MountCommand::Action::kVersion;
    } else if (flag == 'f') {
      (helper ? command.fake : command.foreground) = true;
    } else if (flag == 'v') {
      command.verbose = true;
    } else if (flag == 'r' || flag == 'w') {
      words.AddOptions(flag == 'r' ? "ro" : "rw");
    } else if (helper && (flag == 's' || flag == 'n')) {
      // Nothing here writes /etc/mtab, and an option that nobody knows is better refused than dropped.
    } else if (flag == 'o' || (helper && (flag == 't' || flag == 'N'))) {
      bool attached = i + 1 < flags.size();
      if (!attached && value == nullptr) return UsageError(std::string("-") + flag + " needs a value");
      if (flag == 'o') words.AddOptions(attached ? flags.substr(i + 1) : std::string_view(*value));
      return !attached;
    } else {
      return UsageError(std::string("unknown flag -") + flag);
    }
  }
  return false;
}

}  // namespace

Result<MountCommand> MountCommand::Parse(std::string_view program, const std::vector<std::string>& arguments) {
  bool helper = IsMountHelper(program);
  MountCommand command;
  Words words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--help") {
      command.action = Action::kHelp;
    } else if (argument == "--version") {
      command.action = Action::kVersion;
    } else if (argument == "--foreground") {
      command.foreground = true;
    } else if (argument.size() > 1 && argument[0] == '-' && argument[1] != '-') {
      const std::string* value = i + 1 < arguments.size() ? &arguments[i + 1] : nullptr;
      TRY_ASSIGN(bool used, ApplyFlags(std::string_view(argument).substr(1), value, helper, command, words));
      if (used) ++i;
    } else if (argument.starts_with("-")) {
      return UsageError("unknown flag " + argument);
    } else {
      words.positional.push_back(argument);
    }
  }
  if (command.action != Action::kMount) return command;
  if (words.positional.size() != 2) {
    return UsageError(words.positional.size() < 2 ? "a volume and a mount point are needed"
                                                  : "there are too many words");
  }
  TRY_ASSIGN(command.source, MountSource::Parse(words.positional[0]));
  command.mountpoint = words.positional[1];
  TRY_ASSIGN(command.options, MountOptions::Parse(words.options));
  return command;
}

std::string MountUsage() {
  return "gabion-mount: mounts a Gabion volume.\n"
         "\n"
         "  gabion-mount HOST:PORT[,HOST:PORT...]:/VOLUME[/SUBDIR] MOUNTPOINT [-o OPTIONS] [-f]\n"
         "  mount -t gabion HOST:PORT:/VOLUME MOUNTPOINT [-o OPTIONS]\n"
         "\n"
         "It returns when the mount is live, and goes on in the background; with -f it stays in the foreground.\n"
         "umount, fusermount3 -u or SIGTERM ends it. The port may be left out: " +
         std::to_string(kDefaultMetaserverPort) +
         ".\n"
         "\n"
         "Options, separated by commas:\n" +
         MountOptionsHelp();
}

}  // namespace gabion
