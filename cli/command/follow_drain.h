#pragma once

#include "cli/command/command.h"

namespace gabion {

/// Shows how the drain of `server` gets on until it is a member of no placement group: on a terminal as one line that
/// is redrawn, else as a line now and then, and not at all where JSON is wanted. The server as it is then.
///
/// Errors: kCancelled: Ctrl-C was pressed, or the drain was taken back; those of AdminApi::ListServers, where they
/// last. The drain itself goes on whatever happens here, which the message says.
Result<proto::ServerEntry> FollowDrain(CommandContext& context, proto::ServerEntry server);

}  // namespace gabion
