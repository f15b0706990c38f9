#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/env/real/event_loop.h"
#include "fs-client/fuse/reply.h"
#include "fs-client/fuse/request.h"

namespace gabion::fuse {

/// Takes the requests that a channel reads. On the channel's loop.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  /// `bytes` point into the transport's memory, which is good until the call returns.
  virtual void OnRequest(const RequestBytes& bytes, Reply reply) = 0;
  /// Something came that is no request at all; nobody waits for an answer.
  virtual void OnGarbage(const Error& error) = 0;
};

/// Told by channels, on any of the loops' threads.
class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  /// Nothing more will come. `error` is 0 after an unmount, else the errno that ended the connection. Any number of
  /// times.
  virtual void OnConnectionEnded(int error) = 0;
};

/// One transport's end on one event loop: reads requests, carries replies back. Registered as the loop's poller.
class Channel : public LoopPoller, public ReplySink {
 public:
  /// On the loop's thread, before it is registered. Errors: kNotSupported, kIo, for the user.
  virtual Result<void> Start() = 0;
};

}  // namespace gabion::fuse
