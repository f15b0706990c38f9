#pragma once

#include "chunkserver/pg/member_calls.h"

namespace gabion {

/// What a primary has of a chunk beside its bytes.
struct ChunkShape {
  bool exists = false;
  std::uint32_t length_bytes = 0;
  std::uint64_t trim_generation = 0;
};

struct Equalized {
  ChunkShape shape;              // as the copies have it now
  std::uint64_t sent_bytes = 0;  // that differed
};

/// Makes a member's copy of a chunk equal to this primary's (docs/replication.md): by ranges, each locked like a
/// change, so that changes of the rest go on; those of what is done already are passed on by then. `unsettled`: the
/// member marks the chunk so.
///
/// A chunk that the primary does not have is removed there; one that was removed there with its file stays away.
///
/// `of_bytes`: by what the member's disk gives back, so that blocks which went bad there are replaced, too.
///
/// Errors: as MemberCalls and StoreSet; `at_fault` says of which of the two servers: a bad block of this one's own is
/// not the member's failure.
Task<Result<Equalized>> Equalize(DataContext& context, MemberCalls& member, ChunkId chunk, bool unsettled,
                                 ServerId& at_fault, bool of_bytes = false);

}  // namespace gabion
