#pragma once

#include "chunkserver/pg/member_calls.h"

namespace gabion {

/// Reads every block of a chunk's copies, on this primary and on all other members in sync, and replaces those that do
/// not fit their checksums or are not what the primary has (docs/replication.md, "Scrub"). By ranges of 4 MiB, each
/// locked like a change. Returns the bytes that were replaced.
///
/// Errors: kCorrupt: a block of this server went bad and no other member could give it; as MemberCalls and StoreSet.
/// The first one; what can be repaired beside it is.
Task<Result<std::uint64_t>> ScrubChunk(DataContext& context, Env& env, Membership::Serving serving, ChunkId chunk);

}  // namespace gabion
