#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "common/env/real/event_loop.h"
#include "fs-client/fuse/channel.h"
#include "fs-client/fuse/device_channel.h"
#include "fs-client/fuse/dispatcher.h"
#include "fs-client/fuse/init.h"
#include "fs-client/fuse/notifier.h"
#include "fs-client/fuse/side_reader.h"
#include "fs-client/fuse/uring_channel.h"

namespace gabion::fuse {

/// Serves a mounted FUSE connection from a Vfs: a channel and a dispatcher on each loop, over the transport that the
/// handshake settled. Life: Create, Start, then requests until the connection ends (unmount) or is given up, Close,
/// Drain, destroy. All calls from a thread that is no loop.
class FuseServer : public ConnectionEvents {
 public:
  /// `device`: the connection's descriptor, after the handshake; not owned, stays open until the server is destroyed.
  /// `on_ended`: called once, on any thread, with 0 after an unmount, else the errno that ended the connection.
  /// Errors, for the user: kIo.
  static Result<std::unique_ptr<FuseServer>> Create(EventLoops& loops, Vfs& vfs, int device,
                                                    const Negotiated& negotiated,
                                                    std::function<void(int error)> on_ended);
  ~FuseServer() override;

  /// For whoever caches behind the Vfs; works from Start on.
  Notifier& notifier() { return *notifier_; }
  /// From here on the kernel is answered. Errors, for the user: kIo, kNotSupported; nothing of it runs then.
  Result<void> Start();

  /// Reads no more; what runs goes on. Once the connection has ended, or is to be given up. Idempotent.
  void Close();
  /// After Close(): cancels the requests that still run and waits for them. False if some do after `timeout`: the
  /// server must not be destroyed then, and the process has to end without unwinding.
  bool Drain(Duration timeout);

  void OnConnectionEnded(int error) override;

 private:
  /// What one loop has. Channels refer to the dispatcher, the dispatcher's requests to the channels.
  struct Lane {
    std::unique_ptr<Dispatcher> dispatcher;
    std::unique_ptr<Channel> channel;
  };

  FuseServer(EventLoops& loops, Vfs& vfs, int device, const Negotiated& negotiated,
             std::function<void(int error)> on_ended);

  Result<void> MakeChannels();
  Result<void> MakeUringChannels();
  Result<void> StartChannels();
  void RemoveChannel(std::size_t i);
  void Interrupt(std::uint64_t unique);

  EventLoops& loops_;
  Vfs& vfs_;
  const int device_;
  const Negotiated negotiated_;
  const std::function<void(int error)> on_ended_;
  std::atomic<bool> ended_ = false;
  bool open_ = false;
  std::vector<Lane> lanes_;
  std::unique_ptr<Notifier> notifier_;
  // With rings only: what does not travel through them, on loop 0.
  std::unique_ptr<DeviceChannel> side_channel_;
  std::unique_ptr<SideReader> side_reader_;
};

}  // namespace gabion::fuse
