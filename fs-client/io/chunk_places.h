#pragma once

#include "fs-client/io/chunk_calls.h"
#include "fs-client/io/open_inode.h"
#include "fs-client/session/meta_call.h"

namespace gabion {

/// Finds out where the chunks of open files are, and has new ones placed. Also makes the cuts that the metadata has
/// made and the chunks have not, which comes before anything is written there. Any loop.
class ChunkPlaces {
 public:
  /// Chunks placed ahead of a writer that goes through a large file, and asked for ahead of a reader.
  static constexpr std::uint64_t kMaxPlacedAhead = 8;
  static constexpr std::uint64_t kMaxAskedAhead = 64;

  /// All outlive it.
  ChunkPlaces(MetaCalls& meta, MetaSession& session, ChunkCalls& chunks)
      : meta_(meta), session_(session), chunks_(chunks) {}

  /// The chunk at `index`, or a hole. With `ask_again`, what is known as a hole is asked for, for another client may
  /// have written there.
  Task<Result<ChunkPlace>> ForReading(ClientLoop* loop, OpenInodePtr inode, std::uint64_t index, bool ask_again);
  /// The chunk at `index`, made if there is none; with no cut pending in the file. Errors: kNoSpace, kStale.
  Task<Result<ChunkPlace>> ForWriting(ClientLoop* loop, OpenInodePtr inode, std::uint64_t index);

  /// Makes the cut on the chunk and says so to the metaserver. Repeating it is harmless.
  Task<Result<void>> FinishTrim(ClientLoop* loop, Ino ino, proto::TrimMark mark);
  /// As FinishTrim for the mark that the inode is known to have, if any.
  Task<Result<void>> FinishKnownTrim(ClientLoop* loop, OpenInodePtr inode);
  /// Asks whether a cut by another client is pending, and makes it. `inode`: null if the file is not open here.
  Task<Result<void>> FinishForeignTrim(ClientLoop* loop, Ino ino, OpenInodePtr inode);

 private:
  Task<Result<void>> Ask(ClientLoop* loop, OpenInodePtr inode, std::uint64_t index);
  Task<Result<void>> Allocate(ClientLoop* loop, OpenInodePtr inode, std::uint64_t index);

  MetaCalls& meta_;
  MetaSession& session_;
  ChunkCalls& chunks_;
};

/// The requests of this client's own housekeeping; open handles have passed the permission checks already.
inline constexpr Caller kOwnWork{};

}  // namespace gabion
