#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "cli/command/command.h"
#include "cli/duration.h"
#include "cli/output/format.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

constexpr const char* kDefaultTime = "1h";
constexpr std::chrono::seconds kMaxTime = std::chrono::hours(7 * 24);

struct MaintenanceOptions {
  std::uint32_t server_id = 0;
  std::string time = kDefaultTime;
  bool end = false;
  bool force = false;
};

/// Empty: it is one.
std::string WhyNoTime(const std::string& text) {
  const Result<std::chrono::seconds> time = ParseDuration(text);
  if (!time) return time.error().message();
  if (*time >= std::chrono::seconds(1) && *time <= kMaxTime) return "";
  return "a maintenance lasts from 1 second to 7 days; drain a server that is away for longer";
}

std::string Answer(const proto::ServerEntry& server) {
  if (server.maintenance_until_ns() == 0)
    return fmt::format("chunkserver {} is not in maintenance\n", server.server_id());
  return fmt::format("chunkserver {} is in maintenance until {}: it may be stopped\n", server.server_id(),
                     FormatUtc(server.maintenance_until_ns()));
}

Result<void> RunServerMaintenance(CommandContext& context, const MaintenanceOptions& options) {
  proto::ServerMaintenanceRequest request;
  request.set_server_id(options.server_id);
  request.set_end(options.end);
  if (!options.end) {
    TRY_ASSIGN(const std::chrono::seconds time, ParseDuration(options.time));
    request.set_for_s(static_cast<std::uint32_t>(time.count()));
    request.set_force(options.force);
  }
  TRY_ASSIGN(const proto::ServerMaintenanceReply reply, context.api.SetMaintenance(std::move(request)));
  context.console.out << (context.json ? DumpJson(ServerJson(reply.server())) : Answer(reply.server()));
  return {};
}

}  // namespace

void AddServerMaintenanceCommand(CLI::App& parent, Command* chosen) {
  auto options = std::make_shared<MaintenanceOptions>();
  CLI::App* command = parent.add_subcommand(
      "maintenance", "Let a chunkserver be away for a while without its copies being made anew elsewhere");
  command->add_option("ID", options->server_id, "The chunkserver's number, as server list prints it")->required();
  CLI::Option* time = command->add_option("--for", options->time, "How long, from now on: 90s, 30m, 2h, at most 7d")
                          ->check(&WhyNoTime)
                          ->type_name("DURATION")
                          ->capture_default_str();
  CLI::Option* force =
      command->add_flag("--force", options->force, "Also where placement groups are unavailable without it");
  command->add_flag("--end", options->end, "It is over")->excludes(time)->excludes(force);
  command->callback([chosen, options] {
    *chosen = [options](CommandContext& context) { return RunServerMaintenance(context, *options); };
  });
}

}  // namespace gabion
