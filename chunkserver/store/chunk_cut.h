#pragma once

#include <cstdint>

#include "chunkserver/store/chunk_edit.h"

namespace gabion {

// Cutting a chunk from its end, in steps: what is left between two of them is a shorter chunk.

/// Where the next step of cutting a chunk of `length_bytes` begins; none begins before `down_to_bytes`.
std::uint64_t CutStepBegin(std::uint64_t length_bytes, std::uint64_t down_to_bytes);

/// The pages with bytes of [begin, end); one if there are none.
PageRange PagesBetween(std::uint64_t begin_bytes, std::uint64_t end_bytes);

/// Commits `edit` without the bytes from `begin_bytes` on. Errors: as ChunkEdit::Commit.
Task<Result<void>> CommitCut(ChunkEdit& edit, std::uint64_t begin_bytes, ChunkChange change,
                             Purpose purpose = Purpose::kOrdinary);

/// Removes the chunk, whose lock the caller holds, and leaves a tombstone if wanted, also of one that is not there.
Task<Result<void>> RemoveLocked(StoreCore& core, ChunkId chunk, bool leave_tombstone);

}  // namespace gabion
