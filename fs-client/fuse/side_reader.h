#pragma once

#include <asio/posix/stream_descriptor.hpp>

#include "common/coro/task_group.h"
#include "common/env/real/event_loop.h"
#include "fs-client/fuse/device_channel.h"

namespace gabion::fuse {

/// Reads /dev/fuse beside the rings, on one loop: FORGET and INTERRUPT never come through a ring. It waits a little
/// between two looks, since a removed file is a FORGET and none is worth a wake-up: they gather in the kernel
/// meanwhile.
class SideReader {
 public:
  /// `channel` outlives it and is polled by nobody else.
  SideReader(EventLoop& loop, DeviceChannel& channel);

  /// On the loop's thread.
  Result<void> Start();
  /// Anywhere; on return nothing of it runs.
  Task<void> Stop();

 private:
  Task<void> Run();

  EventLoop& loop_;
  DeviceChannel& channel_;
  asio::posix::stream_descriptor descriptor_;
  bool stopping_ = false;
  TaskGroup tasks_;
};

}  // namespace gabion::fuse
