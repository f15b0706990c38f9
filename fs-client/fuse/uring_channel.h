#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/env/real/unique_fd.h"
#include "fs-client/fuse/channel.h"

namespace gabion::fuse {

/// FUSE over io_uring (Linux 6.14): the ring of one event loop, with the queues of the CPUs that the loop serves. The
/// kernel hands a request to the queue of the CPU that made it, so that on a loop pinned to that CPU no other one is
/// woken.
///
/// A queue starts with few entries and gets more whenever all of them are busy, up to a limit: an entry's buffer holds
/// a whole WRITE, but costs memory only as far as it has been used.
class UringChannel : public Channel {
 public:
  struct Options {
    std::vector<std::uint16_t> queues;  // the kernel's queue ids, which are CPU numbers
    std::size_t payload_bytes = 0;      // what the kernel demands of an entry: max_write, at least
    unsigned first_entries = 8;         // of each queue
    unsigned max_entries = 64;
  };

  /// `device`: any descriptor of the connection, not owned. `sink` and `events` outlive it.
  UringChannel(int device, Options options, RequestSink& sink, ConnectionEvents& events);
  /// No request of it may be running: their replies would have no place to go.
  ~UringChannel() override;

  /// Makes the ring and hands the kernel the first entries of every queue. On failure nothing of it may be polled.
  Result<void> Start() override;
  bool Poll() override;
  int wake_fd() const override { return wake_.get(); }

  bool Send(ReplyTarget target, int error, std::span<const std::byte> body) override;
  bool Send(ReplyTarget target, const Payload& body) override;
  std::span<std::byte> Scratch(ReplyTarget target, std::size_t size) override;

 private:
  struct Queue;
  struct Entry;
  struct Region;  // memory of some entries

  Result<void> AddEntries(Queue& queue, unsigned count);
  void GrowIfBusy(Queue& queue);
  void Arm(Entry& entry, RingCommand command);
  void Enter();
  unsigned Reap();
  bool Quieten();
  void OnCompletion(Entry& entry, int result);
  void Commit(Entry& entry, ReplyTarget target, int error, std::size_t size);
  void End(int error);

  const int device_;
  const Options options_;
  RequestSink& sink_;
  ConnectionEvents& events_;
  io_uring ring_{};
  bool ring_open_ = false;
  // The ring's own descriptor wakes nobody before its work has run, and the work runs only when this thread asks.
  UniqueFd wake_;
  unsigned idle_polls_ = 0;       // in a row
  std::optional<int> end_error_;  // once the connection has ended: 0 if by an unmount
  std::vector<std::unique_ptr<Queue>> queues_;
};

/// Whether rings can be made here at all: sysctl kernel.io_uring_disabled and seccomp filters forbid them on some
/// machines. Errors: kNotSupported, for the user.
Result<void> ProbeUring();

}  // namespace gabion::fuse
