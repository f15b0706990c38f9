#pragma once

#include <cstdint>
#include <functional>

#include "common/env/env.h"
#include "fs-client/fuse/channel.h"
#include "fs-client/fuse/decode.h"
#include "fs-client/fuse/request_table.h"
#include "fs-client/vfs/vfs.h"

namespace gabion::fuse {

/// One log line a second at most; says how many it left out.
class RateLimitedLog {
 public:
  explicit RateLimitedLog(Clock& clock) : clock_(clock) {}
  void Warn(const std::string& line);

 private:
  Clock& clock_;
  TimePoint next_{};
  std::uint64_t left_out_ = 0;
};

/// Turns the requests of one loop into coroutines: decode, call the Vfs, encode, reply, all on the loop that read the
/// request. On the loop's thread only.
class Dispatcher : public RequestSink {
 public:
  /// `on_interrupt` passes an INTERRUPT on to the dispatchers of all loops: the request may run on any of them.
  Dispatcher(Env& env, Vfs& vfs, Dialect dialect, std::function<void(std::uint64_t unique)> on_interrupt);

  void OnRequest(const RequestBytes& bytes, Reply reply) override;
  void OnGarbage(const Error& error) override;

  RequestTable& requests() { return requests_; }

 private:
  Env& env_;
  Vfs& vfs_;
  Dialect dialect_;
  std::function<void(std::uint64_t unique)> on_interrupt_;
  RequestTable requests_;
  RateLimitedLog malformed_log_;
};

}  // namespace gabion::fuse
