#pragma once

#include <atomic>

#include "chunkserver/pg/member_calls.h"

namespace gabion {

/// How far a joiner is. Belongs to the loop of the join.
struct JoinProgress {
  std::uint64_t chunks_left = 0;
  std::uint64_t bytes_left = 0;  // what these chunks have; most of it may be there already
  std::uint64_t bytes_sent = 0;
};

/// Brings a joiner in sync (docs/replication.md, "Joining"): on the primary, once it serves. When it returns without an
/// error the joiner has everything, durably, and is required for every change from then on (Joiners::Require).
///
/// While clients are served it takes a quarter of its time at most, so that four of them take as much as one would.
///
/// Errors: as Equalize; kStaleEpoch: the epoch is over. Doing it again compares again, and sends only what is still
/// missing. `at_fault` is then the server that failed: the joiner, or this one.
Task<Result<void>> Join(DataContext& context, Env& env, Membership::Serving serving, MembershipView::Joiner joiner,
                        JoinProgress& progress, ServerId& at_fault);

}  // namespace gabion
