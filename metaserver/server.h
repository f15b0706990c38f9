#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "common/env/kv_store.h"

namespace gabion {

struct MetaServerOptions {
  Endpoint listen{"127.0.0.1", 9470};
  std::string host_id;  // boot id; empty in simulation
  std::string boot_id;  // of the machine that the store is on
  Duration session_ttl = std::chrono::seconds(10);
  Duration session_expiry = std::chrono::minutes(5);  // a lapsed session keeps its open files this long
  Duration server_lease = std::chrono::seconds(3);
  Duration down_out = std::chrono::minutes(10);  // a copy that is away for longer is made anew elsewhere
  std::uint32_t pgs_per_policy = 64;
};

/// The metadata server: namespace, sessions, cluster membership, placement, administration (DESIGN 2, 4). Everything it
/// knows is in `store`; a new object on the same store carries on.
class MetaServer {
 public:
  /// `loops` and `store` outlive it.
  MetaServer(std::vector<Env*> loops, KvStore& store, MetaServerOptions options);
  ~MetaServer();  // Stop() first

  /// Reads what the store holds, then listens. Errors: kCorrupt or kVersionMismatch (a store this program cannot read,
  /// with what to do), and those of Transport::Listen.
  Task<Result<void>> Start();
  Task<void> Stop();
  Endpoint endpoint() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gabion
