#pragma once

#include <cstdint>
#include <optional>

#include "chunkserver/pg/member_calls.h"

namespace gabion {

struct ScrubOutcome {
  std::uint64_t repaired_bytes = 0;
  std::optional<Error> failure;  // the first
};

/// Reads every block of a chunk's copies, on this primary and on all other members in sync, and replaces those that do
/// not fit their checksums or are not what the primary has (docs/replication.md, "Scrub"). By ranges of 4 MiB, each
/// locked like a change.
///
/// Failures: kCorrupt: a block of this server went bad and no other member could give it; as MemberCalls and StoreSet.
/// What can be repaired beside one is.
Task<ScrubOutcome> ScrubChunk(DataContext& context, Env& env, Membership::Serving serving, ChunkId chunk);

}  // namespace gabion
