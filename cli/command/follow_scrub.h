#pragma once

#include <cstdint>

#include "cli/command/command.h"
#include "cli/output/report.h"

namespace gabion {

/// What came of a scrub that was followed to its end.
struct ScrubSummary {
  ServerEntries servers;             // as they are then
  std::uint64_t scrubbed_bytes = 0;  // of primaries' copies
  std::uint64_t repaired_bytes = 0;
  std::uint64_t failed_chunks = 0;  // of which a copy is still bad
};

/// Shows how the scrub gets on that `started` are asked for (AdminApi::StartScrub's answer), until all of them have
/// finished it. Those that are removed meanwhile are not waited for.
///
/// Errors: kCancelled: Ctrl-C was pressed; those of AdminApi::ListServers, where they last. The scrub itself goes on
/// whatever happens here, which the message says.
Result<ScrubSummary> FollowScrub(CommandContext& context, const ServerEntries& started);

}  // namespace gabion
