#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

constexpr std::uint32_t kDefaultLimit = 50;
constexpr std::uint32_t kMaxLimit = 10'000;  // what the metaserver keeps

Result<void> RunEvents(CommandContext& context, std::uint32_t limit) {
  TRY_ASSIGN(const proto::EventListReply reply, context.api.ListEvents(limit));
  context.console.out << (context.json ? DumpJson(EventsJson(reply.events())) : EventLines(reply.events()));
  return {};
}

}  // namespace

void AddEventsCommand(CLI::App& parent, Command* chosen) {
  auto limit = std::make_shared<std::uint32_t>(kDefaultLimit);
  CLI::App* command = parent.add_subcommand("events", "What happened to the cluster, the newest last");
  command->add_option("--limit", *limit, "How many of the last events")
      ->check(CLI::Range(1u, kMaxLimit))
      ->capture_default_str();
  command->callback(
      [chosen, limit] { *chosen = [limit](CommandContext& context) { return RunEvents(context, *limit); }; });
}

}  // namespace gabion
