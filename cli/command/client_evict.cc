#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "cli/command/command.h"
#include "cli/command/progress_line.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

constexpr int kMaxFailures = 60;  // in a row

struct EvictOptions {
  std::uint64_t session_id = 0;
  bool no_wait = false;
};

constexpr const char* kMeaning =
    "What it had not brought to the chunkservers is lost: there write, fsync and close say so (EIO), once for each "
    "open "
    "file that lost something; everything new works, without mounting again.\n";

std::string Answer(const proto::ClientEntry& client) {
  if (client.state() == proto::CLIENT_EVICTING) {
    return fmt::format("session {} of volume '{}' is being evicted: gabion client show {} tells when it is.\n",
                       client.session_id(), client.volume(), client.session_id());
  }
  return fmt::format("session {} of volume '{}' is evicted: its leases and locks are free for others.\n{}",
                     client.session_id(), client.volume(), kMeaning);
}

Error Unfollowed(std::uint64_t session_id) {
  return Error(ErrorCode::kCancelled,
               fmt::format("session {} will be evicted all the same: gabion client show {} tells when it is",
                           session_id, session_id));
}

/// Returns when the session is evicted. Errors: kNotFound: it has ended; kCancelled: Ctrl-C; those of
/// AdminApi::ShowClient, where they last. It is evicted whatever happens here.
Result<proto::ClientEntry> FollowEviction(CommandContext& context, proto::ClientEntry client) {
  ProgressLine line(context);
  ProgressLine::Seconds at{0};
  int failures = 0;
  while (client.state() == proto::CLIENT_EVICTING) {
    line.Show(at, fmt::format("session {}: what it holds ends with its last renewal, then the chunkservers refuse it; "
                              "some 15 s in all",
                              client.session_id()));
    if (!context.console.wait(ProgressLine::kLookInterval)) return Unfollowed(client.session_id());
    at += ProgressLine::kLookInterval;
    Result<proto::ClientShowReply> now = context.api.ShowClient(client.session_id());
    if (!now) {
      if (MayPass(now.error()) && ++failures < kMaxFailures) continue;
      return now.error().WithContext("following the eviction, which goes on");
    }
    failures = 0;
    client = std::move(*now->mutable_client());
  }
  return client;
}

Result<void> RunClientEvict(CommandContext& context, const EvictOptions& options) {
  TRY_ASSIGN(const proto::ClientEvictReply reply, context.api.EvictClient(options.session_id));
  proto::ClientEntry client = reply.client();
  if (!options.no_wait) {
    TRY_ASSIGN(client, FollowEviction(context, std::move(client)));
  }
  context.console.out << (context.json ? DumpJson(ClientJson(client)) : Answer(client));
  return {};
}

}  // namespace

void AddClientEvictCommand(CLI::App& parent, Command* chosen) {
  auto options = std::make_shared<EvictOptions>();
  CLI::App* command = parent.add_subcommand(
      "evict",
      "Take from a client all that it holds, for others who wait; what it has written and not stored is lost, which it "
      "says. Returns when that is done, and Ctrl-C ends only the waiting");
  command->add_option("SESSION", options->session_id, "Its session's number, as client list prints it")
      ->required()
      ->check(CLI::PositiveNumber);
  command->add_flag("--no-wait", options->no_wait, "Return as soon as it is bound to happen");
  command->callback([chosen, options] {
    *chosen = [options](CommandContext& context) { return RunClientEvict(context, *options); };
  });
}

}  // namespace gabion
