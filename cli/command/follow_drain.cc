#include "cli/command/follow_drain.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>

#include "cli/command/progress_line.h"
#include "cli/output/drain_progress.h"

namespace gabion {
namespace {

constexpr int kMaxFailures = 60;  // in a row

Result<proto::ServerEntry> LookAt(CommandContext& context, std::uint32_t server_id) {
  TRY_ASSIGN(const proto::ServerListReply reply, context.api.ListServers());
  auto found = std::find_if(reply.servers().begin(), reply.servers().end(),
                            [&](const proto::ServerEntry& server) { return server.server_id() == server_id; });
  if (found == reply.servers().end()) return Error(ErrorCode::kNotFound, fmt::format("no chunkserver {}", server_id));
  return *found;
}

Error Unfollowed(std::uint32_t server_id) {
  return Error(
      ErrorCode::kCancelled,
      fmt::format("chunkserver {} goes on being drained: gabion server list tells how far it is, gabion server "
                  "undrain {} takes it back",
                  server_id, server_id));
}

}  // namespace

Result<proto::ServerEntry> FollowDrain(CommandContext& context, proto::ServerEntry server) {
  DrainProgress progress;
  ProgressLine line(context);
  ProgressLine::Seconds at{0};
  int failures = 0;
  while (server.pgs() > 0) {
    progress.Take(at, server);
    line.Show(at, progress.Line());
    if (!context.console.wait(ProgressLine::kLookInterval)) return Unfollowed(server.server_id());
    at += ProgressLine::kLookInterval;
    Result<proto::ServerEntry> now = LookAt(context, server.server_id());
    if (!now) {
      if (MayPass(now.error()) && ++failures < kMaxFailures) continue;
      return now.error().WithContext("following the drain, which goes on");
    }
    failures = 0;
    server = std::move(*now);
    if (!server.draining()) {
      return Error(ErrorCode::kCancelled,
                   fmt::format("chunkserver {} is no longer drained: somebody took that back", server.server_id()));
    }
  }
  return server;
}

}  // namespace gabion
