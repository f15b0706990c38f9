#pragma once

#include <functional>
#include <map>
#include <queue>
#include <set>
#include <vector>

#include "common/base/ids.h"
#include "metaserver/check/check_log.h"
#include "metaserver/check/chunk_groups.h"
#include "metaserver/check/chunk_lister.h"
#include "metaserver/check/chunk_window.h"
#include "metaserver/cluster/cluster.h"

namespace gabion {

/// Where servers are asked.
using ServerEndpoints = std::map<ServerId, Endpoint>;

/// What all chunkservers have stored, merged in the order of chunks. A server that does not answer is told to the log
/// and left out from then on.
class ChunkInventory {
 public:
  /// Those that are alive, and where; the others are unchecked. Errors: kUnavailable.
  static Task<Result<ServerEndpoints>> FindServers(Cluster& cluster, CheckLog& log);

  /// `lister` and `log` outlive it.
  ChunkInventory(ServerEndpoints servers, ChunkLister& lister, CheckLog& log);

  /// Adds chunks to the window until it has `max_chunks`, all copies of each, and closes it if there are more. Errors:
  /// kCancelled.
  Task<Result<void>> Fill(ChunkWindow& window, std::size_t max_chunks, const ChunkGroups& groups);
  bool at_end() const { return started_ && heads_.empty(); }
  /// The last chunk that was added.
  ChunkId last() const { return last_; }

 private:
  struct Server {
    Endpoint endpoint;
    ChunkId after;
    std::vector<proto::StoredChunk> page;
    std::size_t next = 0;
    bool end = false;
  };
  using Head = std::pair<ChunkId, ServerId>;

  /// Has the server's next chunk among the heads, if there is one.
  Task<void> PushHead(ServerId id);
  Task<void> ReadPage(ServerId id, Server& server);

  std::map<ServerId, Server> servers_;
  ChunkLister& lister_;
  CheckLog& log_;
  std::uint32_t page_entries_;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
  bool started_ = false;
  ChunkId last_;
};

/// Which of some chunks each server has, asked anew. Errors: none; a server that does not answer is in `silent`.
struct StoredNow {
  std::set<std::pair<ServerId, ChunkId>> stored;
  std::set<ServerId> silent;
};
Task<StoredNow> AskForChunks(ServerEndpoints servers, std::map<ServerId, std::vector<ChunkId>> wanted,
                             ChunkLister& lister, CheckLog& log);

}  // namespace gabion
