#include "cli/command/follow_scrub.h"

#include <algorithm>
#include <map>

#include "cli/command/progress_line.h"
#include "cli/output/scrub_progress.h"

namespace gabion {
namespace {

constexpr int kMaxFailuresOfScrub = 60;  // in a row

using EntriesById = std::map<std::uint32_t, proto::ServerEntry>;

/// The servers among these that still are there.
Result<ServerEntries> LookAtStarted(CommandContext& context, const EntriesById& started) {
  TRY_ASSIGN(const proto::ServerListReply reply, context.api.ListServers());
  ServerEntries servers;
  for (const proto::ServerEntry& server : reply.servers()) {
    if (started.contains(server.server_id())) *servers.Add() = server;
  }
  return servers;
}

bool HasFinished(const proto::ServerEntry& started, const proto::ServerEntry& now) {
  return now.scrub().finished_round() > started.scrub().finished_round();
}

ScrubSummary Summarize(const EntriesById& started, ServerEntries servers) {
  ScrubSummary summary;
  for (const proto::ServerEntry& server : servers) {
    const std::uint64_t before = started.at(server.server_id()).scrub().repaired_bytes();
    const std::uint64_t now = server.scrub().repaired_bytes();
    summary.scrubbed_bytes += server.scrub().pass_bytes_done();
    summary.repaired_bytes += now >= before ? now - before : now;  // less: the server was restarted
    summary.failed_chunks += server.scrub().failed_chunks();
  }
  summary.servers = std::move(servers);
  return summary;
}

}  // namespace

Result<ScrubSummary> FollowScrub(CommandContext& context, const ServerEntries& started) {
  EntriesById before;
  for (const proto::ServerEntry& server : started) before[server.server_id()] = server;
  ScrubProgress progress;
  ProgressLine line(context);
  ProgressLine::Seconds at{0};
  ServerEntries servers = started;
  int failures = 0;
  for (;;) {
    const auto unfinished =
        static_cast<std::size_t>(std::count_if(servers.begin(), servers.end(), [&](const auto& now) {
          return !HasFinished(before.at(now.server_id()), now);
        }));
    if (unfinished == 0) return Summarize(before, std::move(servers));
    progress.Take(at, servers, unfinished);
    line.Show(at, progress.Line());
    if (!context.console.wait(ProgressLine::kLookInterval))
      return Error(ErrorCode::kCancelled, "the scrub goes on: gabion scrub status tells how far it is");
    at += ProgressLine::kLookInterval;
    Result<ServerEntries> now = LookAtStarted(context, before);
    if (!now) {
      if (MayPass(now.error()) && ++failures < kMaxFailuresOfScrub) continue;
      return now.error().WithContext("following the scrub, which goes on");
    }
    failures = 0;
    servers = std::move(*now);
  }
}

}  // namespace gabion
