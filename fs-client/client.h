#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "fs-client/vfs/vfs.h"

namespace gabion {

struct ClientOptions {
  std::vector<Endpoint> metaservers;
  std::string volume;
  std::string subdir;   // "" or "a/b": what the mount's root is
  std::string host_id;  // boot id; empty in simulation
  std::string host_name;
  std::string mountpoint;
  bool read_only = false;
  std::uint64_t memory_bytes = 256ull << 20;  // budget of gathered writes and read-ahead
  Duration connect_timeout = std::chrono::seconds(10);
  Duration soft{0};                          // calls that take longer fail with kIo; 0: they wait
  std::size_t max_lock_waits_per_loop = 32;  // requests that may wait for locks: beyond them kNoLocks
};

/// The client core: session, caches, data path (DESIGN 6.2), without a front end. `vfs()` is what FUSE, virtiofs or the
/// simulator calls.
class Client {
 public:
  /// `loops` outlive it; `invalidator` may be null (nobody caches).
  Client(std::vector<Env*> loops, ClientOptions options);
  ~Client();  // Stop() first

  /// Opens the session. Errors, each a line for the user that says what to do: kUnavailable (no metaserver answers
  /// within connect_timeout), kNotFound (volume or subdir), kVersionMismatch.
  Task<Result<void>> Start();
  /// Before the first call of the Vfs. Not owned.
  void SetInvalidator(CacheInvalidator* invalidator);
  Vfs& vfs();
  /// Flushes what is gathered (bounded by a deadline), closes the session.
  Task<void> Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gabion
