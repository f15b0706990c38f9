#pragma once

#include "chunkserver/pg/member_calls.h"

namespace gabion {

/// Where settling came to an end: which member failed, or this server itself.
struct SettleFailure {
  ServerId server;
  Error error;
};

/// Makes the members in sync of a placement group equal, at the beginning of an epoch or after a change that failed
/// (docs/replication.md, "A new epoch"): on the primary, which does not serve meanwhile. Returns when all members know
/// that the epoch is settled; then PgTable::EndSettling decides. Nothing if it succeeded.
///
/// `serving` is of this server as the primary; the group's epoch may end at any moment, after which members refuse.
Task<std::optional<SettleFailure>> Settle(DataContext& context, Env& env, Membership::Serving serving);

}  // namespace gabion
