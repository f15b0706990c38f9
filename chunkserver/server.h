#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/env/disk.h"
#include "common/env/env.h"
#include "common/env/kv_store.h"

namespace gabion {

struct ChunkServerOptions {
  Endpoint listen{"127.0.0.1", 0};
  Endpoint metaserver;
  std::string host_id;       // boot id; empty in simulation
  std::string host;          // failure domains: what is in one of them fails together
  std::string rack;          // of the zone; empty: unknown
  std::string zone;          // empty: unknown
  std::string server_uuid;   // kept in the data directory
  std::uint64_t starts = 1;  // of a server with this uuid, this one included: more than it ever was before
  std::string cluster_id;    // empty before the first registration
  std::uint64_t slab_bytes = 1ull << 30;
  Duration heartbeat = std::chrono::milliseconds(500);
  Duration scrub_interval = std::chrono::hours(7 * 24);  // between the beginnings of two passes; 0: never

  bool give_up_missing_stores = false;  // those that this server had and that are not among its disks are lost
  bool forget_missing_stores = false;   // and after start_afresh: they belong to it no longer
  /// Called once, on the first loop, when a store of this server is lost and the cluster does without what it had: the
  /// process is to end, and to start again with an empty store for each of the paths and without those that are
  /// missing. Never: null.
  std::function<void(std::vector<std::string> paths)> start_afresh{};
};

/// One disk's directory and the index that goes with it.
struct DiskSeat {
  std::string path;  // for reports
  Disk& disk;
  KvStore& index;
};

/// A directory whose index is too damaged to be opened.
struct LostSeat {
  std::string path;
  Error why;
};

/// Stores chunks and replicates them (DESIGN 5). Serves while its lease from the metaserver is valid.
class ChunkServer {
 public:
  /// `loops` and what the seats point to outlive it.
  ChunkServer(std::vector<Env*> loops, std::vector<DiskSeat> seats, ChunkServerOptions options,
              std::vector<LostSeat> lost = {});
  ~ChunkServer();  // Stop() first

  /// Opens the stores, listens, then registers with the metaserver in the background, for as long as it takes. A store
  /// that does not open is offline and reported. Errors: kIo if none opens and none is lost; those of
  /// Transport::Listen.
  Task<Result<void>> Start();
  Task<void> Stop();
  Endpoint endpoint() const;
  /// The cluster this server belongs to, once registered (to be kept in the data directory); empty before.
  std::string cluster_id() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gabion
