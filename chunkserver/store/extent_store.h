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
  bool sync = false;               // survives power loss when the call returns
  bool resync = false;             // makes this copy equal to another: no change
  bool may_spend_reserve = false;  // for this the space that is set aside is there
  bool keeps_length = false;       // whole blocks of what the chunk has already: the last one may reach beyond its end
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
  PgId pg;
  Epoch epoch;
  std::uint32_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
  bool resync = false;  // as in ChunkWrite
  bool may_spend_reserve = false;
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

inline constexpr std::size_t kListEntriesMax = 4096;

/// Asks for chunks of a group, in the order of ids: those that are unsettled, those whose last change was in a later
/// epoch than `after_epoch`, or both together.
struct ListQuery {
  PgId pg;
  bool unsettled = false;
  bool by_epoch = false;
  Epoch after_epoch;
  ChunkId after;                              // where the answer before this one ended
  std::size_t max_entries = kListEntriesMax;  // 1 to kListEntriesMax
};

struct ChunkSummary {
  ChunkId chunk;
  bool exists = false;  // false: it was removed while it was looked up
  std::uint32_t length_bytes = 0;
  std::uint64_t trim_generation = 0;
  std::uint64_t digest = 0;  // XXH3-64 over the checksums of its blocks up to its length: equal digests, equal bytes
};

struct ChunkPage {
  std::vector<ChunkSummary> chunks;
  bool end = false;  // there are no more
};

/// A chunk and its group.
struct ListedChunk {
  ChunkId chunk;
  PgId pg;
};

struct ListedChunks {
  std::vector<ListedChunk> chunks;  // in the order of ids
  bool end = false;                 // there are no more
};

struct ChunkDigest {
  bool exists = false;
  std::uint32_t length_bytes = 0;
  std::uint64_t trim_generation = 0;
  std::vector<BlockChecksum> checksums;  // one a block of the pages up to the length; a hole's is that of zeros
};

/// What a chunk is to be, by the word of the group's primary.
struct AdoptChunk {
  ChunkId chunk;
  PgId pg;
  Epoch epoch;  // the chunk's, unless it has a later one
  bool exists = false;
  std::uint32_t length_bytes = 0;     // exactly; it may become shorter
  std::uint64_t trim_generation = 0;  // exactly; it may become lower
  bool unsettled = false;             // and it is marked so
  bool may_return = false;            // where it does not exist: it may be made anew, so no tombstone is left
};

/// Chunks on one disk (DESIGN 5.5): slab files of 4 KiB blocks, and an index of which block is where
/// (docs/formats/slab.md, chunk_index.md). Any loop of the process.
///
/// What a call changed is seen by every call after it and survives kill -9, as a whole or not at all (a trim, a
/// zeroing, a copy and a removal of more than 8 MiB: in steps). Power loss takes unsynced changes back, block by block,
/// to what was there before; never to anything else. What changes a chunk marks it as unsettled in the same step
/// (docs/replication.md), unless it is a resync. Changes to overlapping pages of a chunk happen in the order in
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

  /// Errors: kCorrupt also if a checksum does not fit the payload; kNoSpace: nothing has changed; kStale: the chunk was
  /// removed lately.
  Task<Result<void>> Write(ChunkWrite write);
  /// `offset_bytes` and `length_bytes` are multiples of 4 KiB; the length is at most 4 MiB. A chunk that was never
  /// written is empty. The bytes are not verified: whoever uses them does that.
  Task<Result<ChunkRead>> Read(ChunkId chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes);
  /// What returned before the call survives power loss.
  Task<Result<void>> Sync() { return core_.Sync(); }
  /// Forgets everything from length_bytes on, unless a trim of this or a later generation has been done. Durable.
  /// Errors: kNoSpace, if a block must be cut and neither disk nor index has room for what is left of it; kStale as
  /// Write.
  Task<Result<void>> Trim(ChunkTrim trim);
  /// Makes the range read as zeros; the chunk's length stays. Errors: kNoSpace.
  Task<Result<void>> Zero(ChunkZero zero);
  /// Both chunks may be the same if the ranges do not overlap. What the source has not reads as zeros. Errors:
  /// kNoSpace; kStale as Write.
  Task<Result<void>> Copy(ChunkCopy copy);
  /// Nothing if the chunk was never written, or is removed.
  Task<Result<std::optional<ChunkStat>>> Stat(ChunkId chunk);
  Task<Result<std::optional<ChunkRecord>>> Find(ChunkId chunk) { return core_.FindChunk(chunk); }
  /// Fine if there is no such chunk. It cannot be made anew for a while. Durable after the next Sync.
  Task<Result<void>> Remove(ChunkId chunk);

  // For the replication of groups (docs/replication.md). A chunk that changes meanwhile may be listed as it was for
  // some blocks and as it is for others.

  Task<Result<ChunkPage>> List(ListQuery query);
  /// By the index alone. Errors: kInvalidArgument if it has not these pages.
  Task<Result<ChunkDigest>> Digest(ChunkId chunk, std::uint32_t first_page, std::uint32_t page_count);
  /// Durable after the next Sync. Errors: as Trim.
  Task<Result<void>> Adopt(AdoptChunk adopt);
  /// Fine for chunks that are settled or not there.
  Task<Result<void>> ClearUnsettled(PgId pg, std::vector<ChunkId> chunks);
  bool IsUnsettled(PgId pg, ChunkId chunk) const { return core_.IsUnsettled({pg, chunk}); }
  /// Those of which the store has chunks, ascending.
  Task<Result<std::vector<PgId>>> Groups();
  /// Chunks of whatever group after `after`, at most `max_entries`: 1 to kListEntriesMax.
  Task<Result<ListedChunks>> ListStored(ChunkId after, std::size_t max_entries);

  StoreCore& core() { return core_; }
  const StoreCore& core() const { return core_; }

 private:
  StoreCore core_;
};

}  // namespace gabion
