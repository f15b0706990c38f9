#pragma once

#include <cstdint>

#include "common/coro/task_group.h"
#include "fs-client/io/chunk_calls.h"
#include "fs-client/io/chunk_places.h"
#include "fs-client/io/memory_budget.h"
#include "fs-client/io/open_inode.h"

namespace gabion {

/// Reads open files: what is being written here over what was read ahead over what the chunkservers have. Holes and
/// what the chunks lack up to the file's size are zeros. Nothing is copied but bytes still being gathered. Any loop.
class Reader {
 public:
  /// All outlive it.
  Reader(ChunkCalls& chunks, ChunkPlaces& places, MemoryBudget& memory, TaskGroup& tasks)
      : chunks_(chunks), places_(places), memory_(memory), tasks_(tasks) {}

  /// Up to `size_bytes`, less only at the end of the file as it is known here.
  Task<Result<Payload>> Read(ClientLoop* loop, OpenHandlePtr handle, std::uint64_t offset_bytes,
                             std::uint32_t size_bytes);

 private:
  /// Where part of a read goes, in the frame of the awaiting Read.
  struct Target {
    Payload payload;
    std::uint64_t offset_bytes = 0;  // of the next byte
  };

  Task<Result<void>> AwaitCut(ClientLoop* loop, OpenInodePtr inode, std::uint64_t end_bytes);
  Task<Result<void>> ReadUpTo(ClientLoop* loop, OpenHandlePtr handle, std::uint64_t end_bytes, Target& target);
  Task<Result<Payload>> ReadStored(ClientLoop* loop, OpenHandlePtr handle, std::uint64_t begin, std::uint64_t end);
  Task<void> Load(ClientLoop* loop, OpenHandlePtr handle, ReadSegmentPtr segment);

  ChunkCalls& chunks_;
  ChunkPlaces& places_;
  MemoryBudget& memory_;
  TaskGroup& tasks_;
};

/// Appends `size_bytes` of zeros, all from one shared stretch of memory.
void AppendZeros(std::uint64_t size_bytes, Payload& payload);

}  // namespace gabion
