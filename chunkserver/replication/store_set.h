#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chunkserver/server.h"
#include "chunkserver/store/extent_store.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// What is known of a server's stores before they are opened.
struct StoreHistory {
  bool had_data = false;         // it has been in use before
  bool give_up_missing = false;  // stores that it had and that are not here are lost
  bool forget_missing = false;   // they belong to it no longer
};

/// The stores of a server, one a disk, and which of them has a chunk. A chunk is on one of them, chosen by free space
/// when it is first written; afterwards the stores' indexes tell. Any loop.
///
/// A disk that fails takes its store along and nothing else. What cannot be found while a store is away may be on that
/// store: it is kUnavailable then, and not taken for a chunk that was never written. For that, each store remembers
/// which others belong to the server.
class StoreSet {
 public:
  /// Where a chunk is to be changed. Until it goes, nobody else chooses a place for the same chunk.
  struct Place {
    ExtentStore* store = nullptr;
    RangeLocks::Guard choosing;
  };

  /// `env` is of the loop that does the stores' upkeep. What the seats point to outlives the set.
  StoreSet(Env& env, std::vector<DiskSeat> seats, std::vector<LostSeat> lost, StoreOptions options);

  /// Opens what can be opened. Errors: kIo if there is no store to use, and none is lost.
  Task<Result<void>> Open(StoreHistory history);
  Task<void> Stop();

  /// The stores that opened; some may be offline by now.
  const std::vector<ExtentStore*>& opened() const { return opened_; }

  /// The store that has the chunk; null if it was never written. A server's only store is returned without a look.
  /// Errors: kUnavailable: it may be on a store that is away.
  Task<Result<ExtentStore*>> Find(ChunkId chunk);
  /// The same; a new chunk gets a store, on `preferred` if it is given and has room. Errors: as Find.
  Task<Result<Place>> FindOrChoose(Env& env, ChunkId chunk, ExtentStore* preferred = nullptr);
  /// The stores that have any of the chunks. Errors: as Find.
  Task<Result<std::vector<ExtentStore*>>> FindAll(std::vector<ChunkId> chunks);

  // Over all stores; what is on one of them is asked of that one. Errors: the stores'; as Find.

  /// As ExtentStore::List, in one order. Errors: also kUnavailable if a store is away: the list would lack its chunks.
  Task<Result<ChunkPage>> List(ListQuery query);
  /// As ExtentStore::ListStored, in one order. Errors: as List.
  Task<Result<ListedChunks>> ListStored(ChunkId after, std::size_t max_entries);
  Task<Result<ChunkDigest>> Digest(ChunkId chunk, std::uint32_t first_page, std::uint32_t page_count);
  Task<Result<void>> Adopt(Env& env, AdoptChunk adopted);
  Task<Result<void>> ClearUnsettled(PgId pg, std::vector<ChunkId> chunks);
  bool IsUnsettled(PgId pg, ChunkId chunk) const;
  /// At most `count` of the group's unsettled chunks, in the order of ids on each store.
  std::vector<ChunkId> FindUnsettled(PgId pg, std::size_t count) const;
  /// Everything that was stored before the call survives power loss.
  Task<Result<void>> Sync();

  /// Whether something that was stored here is gone for good, or nobody knows what was.
  bool IsLost() const;
  /// The directories whose stores have to be made anew: their indexes are damaged.
  std::vector<std::string> LostPaths() const;
  /// Whether the machine was restarted since ForgetLoss: what was not synced may be gone.
  bool lost_unsynced() const;
  /// The metaserver has taken note of lost_unsynced(). Errors: none; what fails is said again after a restart.
  Task<void> ForgetLoss();
  std::vector<proto::DiskReport> Reports() const;

 private:
  struct Seat {
    std::string path;
    std::unique_ptr<ExtentStore> store;
    std::optional<Error> open_error;
  };

  Task<Result<void>> MeetSiblings(StoreHistory history);
  ExtentStore* Choose(Env& env, ExtentStore* preferred) const;
  // Whose chunks need no looking for.
  ExtentStore* OnlyStore() const {
    return seats_.size() == 1 && !opened_.empty() && lost_.empty() && missing_.empty() ? opened_.front() : nullptr;
  }
  // Errors: kUnavailable if a store of this server is missing or lost.
  Result<void> CheckNoneLost() const;
  // Errors: as CheckNoneLost; or if one is offline.
  Result<void> CheckComplete() const;
  // A chunk that is on none of the stores.
  Result<ExtentStore*> Absent(ChunkId chunk) const;

  std::vector<Seat> seats_;
  const std::vector<LostSeat> lost_;  // beside those that opened and were found damaged since
  std::vector<ExtentStore*> opened_;  // constant after Open; may go offline one by one
  std::vector<std::string> missing_;  // known stores that did not come up; constant after Open
  bool give_up_missing_ = false;
  RangeLocks choosing_;
};

}  // namespace gabion
