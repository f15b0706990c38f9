#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <ostream>
#include <utility>

#include "common/rpc/identity.h"

namespace gabion {
namespace {

constexpr double kDefaultTimeoutSeconds = 5;
constexpr double kMaxTimeoutSeconds = 3600;

struct GlobalOptions {
  std::string metaserver;
  std::string config_path;
  double timeout_s = kDefaultTimeoutSeconds;
  bool json = false;
};

void AddGlobalOptions(CLI::App& app, GlobalOptions* options) {
  app.add_option(
         "-m,--metaserver", options->metaserver,
         std::string("HOST:PORT of the metaserver; else ") + kMetaServerVariable + ", else the configuration file")
      ->type_name("HOST:PORT");
  app.add_option("--config", options->config_path, std::string("Configuration file; default ") + kDefaultConfigPath)
      ->type_name("FILE");
  app.add_option("--timeout", options->timeout_s, "Seconds to wait for the metaserver")
      ->check(CLI::Range(0.1, kMaxTimeoutSeconds))
      ->capture_default_str();
  app.add_flag("--json", options->json, "Print JSON, for programs");
}

void AddCommands(CLI::App& app, Command* chosen) {
  AddStatusCommand(app, chosen);
  CLI::App* volume = app.add_subcommand("volume", "Make, list and delete volumes")->require_subcommand(1);
  AddVolumeCreateCommand(*volume, chosen);
  AddVolumeListCommand(*volume, chosen);
  AddVolumeShowCommand(*volume, chosen);
  AddVolumeDeleteCommand(*volume, chosen);
  CLI::App* server = app.add_subcommand("server", "The chunkservers")->require_subcommand(1);
  AddServerListCommand(*server, chosen);
  AddServerDrainCommand(*server, chosen);
  AddServerUndrainCommand(*server, chosen);
  AddServerMaintenanceCommand(*server, chosen);
  AddServerRemoveCommand(*server, chosen);
  CLI::App* client = app.add_subcommand("client", "The clients: mounts of volumes")->require_subcommand(1);
  AddClientListCommand(*client, chosen);
  AddClientShowCommand(*client, chosen);
  AddClientEvictCommand(*client, chosen);
  CLI::App* pg = app.add_subcommand("pg", "The placement groups")->require_subcommand(1);
  AddPgListCommand(*pg, chosen);
  AddPgShowCommand(*pg, chosen);
  CLI::App* scrub = app.add_subcommand("scrub", "Read, compare and repair all copies")->require_subcommand(1);
  AddScrubStartCommand(*scrub, chosen);
  AddScrubStatusCommand(*scrub, chosen);
  AddEventsCommand(app, chosen);
  AddCheckCommand(app, chosen);
}

/// The parser's complaint as one line; CLI11 would add a paragraph.
std::string UsageMessage(const CLI::App*, const CLI::Error& error) {
  return std::string("gabion: ") + error.what() + "; see gabion --help\n";
}

ExitCode ReportFailure(const Error& error, const MetaServerAddress& address, std::ostream& err) {
  switch (error.code()) {
    case ErrorCode::kUnavailable:
      err << "gabion: no metaserver answers at " << address.text << " (" << error.message()
          << "); is it running? Name another with --metaserver HOST:PORT, " << kMetaServerVariable << " or "
          << kDefaultConfigPath << "\n";
      return ExitCode::kUnreachable;
    case ErrorCode::kConnectionLost:
    case ErrorCode::kDeadlineExceeded:
      err << "gabion: the metaserver at " << address.text << " did not answer (" << error.message()
          << "); what was asked may have been done all the same\n";
      return ExitCode::kUnreachable;
    case ErrorCode::kInvalidArgument:
      err << "gabion: " << error.message() << "\n";
      return ExitCode::kUsage;
    default:
      err << "gabion: " << error.message() << "\n";
      return ExitCode::kFailed;
  }
}

ExitCode RunChosen(const Command& chosen, const GlobalOptions& options, const AppHost& host) {
  const Result<MetaServerAddress> address = FindMetaServer({options.metaserver, options.config_path, host.environment});
  if (!address) {
    host.console.err << "gabion: " << address.error().message() << "\n";
    return ExitCode::kUsage;
  }
  const auto timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.timeout_s));
  const std::unique_ptr<AdminApi> api = host.connect(address->endpoints, timeout);
  CommandContext context{*api, host.console, options.json};
  if (Result<void> result = chosen(context); !result) return ReportFailure(result.error(), *address, host.console.err);
  host.console.out.flush();
  return context.exit_code;
}

}  // namespace

ExitCode RunApp(const std::vector<std::string>& arguments, const AppHost& host) {
  CLI::App app("gabion: looks after a Gabion cluster", "gabion");
  app.footer(
      "Exit codes: 0 done; 1 the cluster refused; 2 wrong usage; 3 no metaserver answered; 4 a check or scrub found "
      "faults.");
  app.fallthrough();  // options may follow the command
  app.require_subcommand(1);
  app.failure_message(UsageMessage);
  app.set_version_flag("--version", SoftwareVersion());
  GlobalOptions options;
  Command chosen;
  AddGlobalOptions(app, &options);
  AddCommands(app, &chosen);
  try {
    // CLI11 takes a vector from its back.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& help) {
    app.exit(help, host.console.out, host.console.err);
    return ExitCode::kDone;
  } catch (const CLI::ParseError& error) {
    app.exit(error, host.console.out, host.console.err);
    return ExitCode::kUsage;
  }
  return RunChosen(chosen, options, host);
}

}  // namespace gabion
