#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chunkserver/store/store_core.h"

namespace gabion {

/// Bytes for a chunk. `checksums` has one entry for each piece that block boundaries cut the payload into.
struct ChunkWrite {
  ChunkId chunk;
  PgId pg;
  Epoch epoch;
  std::uint32_t offset_bytes = 0;
  Payload payload;  // 1 byte to 4 MiB
  std::vector<BlockChecksum> checksums;
  bool sync = false;  // survives power loss when the call returns
};

struct ChunkRead {
  Payload payload;                       // whole blocks; ends where the chunk ends
  std::vector<BlockChecksum> checksums;  // as stored, one a block
};

struct ChunkTrim {
  ChunkId chunk;
  PgId pg;
  Epoch epoch;
  std::uint32_t length_bytes = 0;
  std::uint64_t generation = 0;
};

struct ChunkZero {
  ChunkId chunk;
  Epoch epoch;
  std::uint32_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
};

struct ChunkCopy {
  ChunkId source;
  ChunkId target;
  PgId pg;
  Epoch epoch;
  std::uint32_t source_offset_bytes = 0;
  std::uint32_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
};

struct ChunkExtent {
  std::uint32_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
};

struct ChunkStat {
  ChunkRecord record;
  std::vector<ChunkExtent> allocated;  // in order, not touching
};

/// Chunks on one disk (DESIGN 5.5): slab files of 4 KiB blocks, and an index of which block is where
/// (docs/formats/slab.md, chunk_index.md). Any loop of the process.
///
/// What a call changed is seen by every call after it and survives kill -9, as a whole or not at all (a trim, a
/// zeroing, a copy and a removal of more than 8 MiB: in steps). Power loss takes unsynced changes back, block by block,
/// to what was there before; never to anything else. Changes to overlapping pages of a chunk happen in the order in
/// which they are made; a read beside them may see some of their blocks and not others.
///
/// Every call may answer: kInvalidArgument (a range that is not in the chunk), kIo, kCorrupt (a stored block that had
/// to be read does not fit its checksum), kUnavailable (the store is offline; the reason is in the message).
class ExtentStore {
 public:
  /// `env` is of the loop that does the upkeep. All of them outlive the store.
  ExtentStore(Env& env, Disk& disk, KvStore& index, std::string name, StoreOptions options)
      : core_(env, disk, index, std::move(name), options) {}

  /// Errors: kVersionMismatch, kCorrupt, kIo, kNoSpace; the store is offline then.
  Task<Result<void>> Open() { return core_.Open(); }
  /// After the last call has returned.
  Task<void> Stop() { return core_.Stop(); }

  /// Errors: kCorrupt also if a checksum does not fit the payload; kNoSpace: nothing has changed.
  Task<Result<void>> Write(ChunkWrite write);
  /// `offset_bytes` and `length_bytes` are multiples of 4 KiB; the length is at most 4 MiB. A chunk that was never
  /// written is empty. The bytes are not verified: whoever uses them does that.
  Task<Result<ChunkRead>> Read(ChunkId chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes);
  /// What returned before the call survives power loss.
  Task<Result<void>> Sync() { return core_.Sync(); }
  /// Forgets everything from length_bytes on, unless a trim of this or a later generation has been done. Durable.
  /// Errors: kNoSpace, if a block must be cut and neither disk nor index has room for what is left of it.
  Task<Result<void>> Trim(ChunkTrim trim);
  /// Makes the range read as zeros; the chunk's length stays. Errors: kNoSpace.
  Task<Result<void>> Zero(ChunkZero zero);
  /// Both chunks may be the same if the ranges do not overlap. What the source has not reads as zeros. Errors:
  /// kNoSpace.
  Task<Result<void>> Copy(ChunkCopy copy);
  /// Nothing if the chunk was never written, or is removed.
  Task<Result<std::optional<ChunkStat>>> Stat(ChunkId chunk);
  Task<Result<std::optional<ChunkRecord>>> Find(ChunkId chunk) { return core_.FindChunk(chunk); }
  /// Fine if there is no such chunk. Durable after the next Sync.
  Task<Result<void>> Remove(ChunkId chunk);

  StoreCore& core() { return core_; }
  const StoreCore& core() const { return core_; }

 private:
  StoreCore core_;
};

}  // namespace gabion
