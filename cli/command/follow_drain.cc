#include "cli/command/follow_drain.h"

#include <fmt/core.h>

#include <algorithm>
#include <ostream>
#include <string>

#include "cli/output/drain_progress.h"

namespace gabion {
namespace {

using Seconds = DrainProgress::Seconds;

constexpr Seconds kLookInterval{1};
constexpr Seconds kLineInterval{10};  // where lines are not redrawn
constexpr int kMaxFailures = 60;      // in a row

/// Where the progress is shown.
class ProgressLine {
 public:
  explicit ProgressLine(const CommandContext& context) : console_(context.console), is_silent_(context.json) {}

  void Show(Seconds at, const std::string& line) {
    if (is_silent_) return;
    if (console_.out_is_terminal) {
      console_.out << "\r" << line << "\x1B[K" << std::flush;
      is_open_ = true;
    } else if (at.count() % kLineInterval.count() == 0) {
      console_.out << line << "\n" << std::flush;
    }
  }

  ~ProgressLine() {
    if (is_open_) console_.out << "\n" << std::flush;
  }

 private:
  const Console& console_;
  const bool is_silent_;
  bool is_open_ = false;  // the cursor is at the line's end
};

Result<proto::ServerEntry> LookAt(CommandContext& context, std::uint32_t server_id) {
  TRY_ASSIGN(const proto::ServerListReply reply, context.api.ListServers());
  auto found = std::find_if(reply.servers().begin(), reply.servers().end(),
                            [&](const proto::ServerEntry& server) { return server.server_id() == server_id; });
  if (found == reply.servers().end()) return Error(ErrorCode::kNotFound, fmt::format("no chunkserver {}", server_id));
  return *found;
}

/// Whether the metaserver may answer the next time: it may only have been restarted.
bool MayPass(const Error& error) {
  return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kConnectionLost ||
         error.code() == ErrorCode::kDeadlineExceeded;
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
  Seconds at{0};
  int failures = 0;
  while (server.pgs() > 0) {
    progress.Take(at, server);
    line.Show(at, progress.Line());
    if (!context.console.wait(kLookInterval)) return Unfollowed(server.server_id());
    at += kLookInterval;
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
