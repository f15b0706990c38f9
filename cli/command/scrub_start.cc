#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "cli/command/command.h"
#include "cli/command/follow_scrub.h"
#include "cli/output/format.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

struct ScrubOptions {
  std::uint32_t server_id = 0;  // all
  bool wait = false;
};

std::string SummaryText(const ScrubSummary& summary) {
  std::string text = fmt::format("scrubbed {} on {}: ", FormatBytes(summary.scrubbed_bytes),
                                 FormatCountOf(static_cast<std::uint64_t>(summary.servers.size()), "chunkserver"));
  if (summary.repaired_bytes > 0) text += FormatBytes(summary.repaired_bytes) + " repaired, ";
  if (summary.failed_chunks == 0) return text + "all copies are good\n";
  return text + fmt::format("{} with a copy that could not be read or repaired; the servers' logs name them\n",
                            FormatCountOf(summary.failed_chunks, "chunk"));
}

Result<void> RunScrubStart(CommandContext& context, const ScrubOptions& options) {
  TRY_ASSIGN(const proto::ScrubStartReply reply, context.api.StartScrub(options.server_id));
  if (!options.wait) {
    if (context.json) {
      context.console.out << DumpJson(ScrubsJson(reply.servers()));
    } else {
      context.console.out << fmt::format(
          "{} asked to scrub; gabion scrub status tells how far it is\n",
          FormatCountOf(static_cast<std::uint64_t>(reply.servers_size()), "chunkserver"));
    }
    return {};
  }
  TRY_ASSIGN(const ScrubSummary summary, FollowScrub(context, reply.servers()));
  context.console.out << (context.json ? DumpJson(ScrubsJson(summary.servers)) : SummaryText(summary));
  if (summary.failed_chunks > 0) context.exit_code = ExitCode::kFaults;
  return {};
}

}  // namespace

void AddScrubStartCommand(CLI::App& parent, Command* chosen) {
  auto options = std::make_shared<ScrubOptions>();
  CLI::App* command =
      parent.add_subcommand("start", "Read and compare all copies now; one that is under way already is joined");
  command->add_option("SERVER", options->server_id, "Only what this chunkserver leads, by its number; default: all")
      ->check(CLI::PositiveNumber);
  command->add_flag("--wait", options->wait, "Show how far it is until it is done; Ctrl-C ends only that");
  command->callback(
      [chosen, options] { *chosen = [options](CommandContext& context) { return RunScrubStart(context, *options); }; });
}

}  // namespace gabion
