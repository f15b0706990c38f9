#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/env/clock.h"
#include "common/env/transport.h"
#include "common/rpc/rpc_client.h"
#include "common/rpc/waiter.h"

namespace gabion {

/// A call that waits for its answer. Lives in the frame of the coroutine that made it; the table points to it.
struct PendingCall {
  Frame frame;  // taken out when it is sent
  TimePoint deadline;
  std::uint64_t id = 0;
  bool sent = false;
  bool answered = false;  // by the peer: its error says by itself what is wrong
  std::optional<Result<RpcReply>> result;
  Waiter waiter;
};

/// The calls of a client that have no result yet: found by request id, sent in the order they came. One event loop;
/// does no I/O. A request id is a slot number (low bits) and a sequence number, so that finding one is an array access
/// and a late answer never meets a new call.
class CallTable {
 public:
  CallTable();

  std::size_t size() const { return size_; }
  bool full() const { return free_slots_.empty(); }
  bool has_unsent() const { return !unsent_.empty(); }

  /// Gives the call its id and queues it for sending. Not when full. The call stays where it is until removed.
  void Add(PendingCall& call);
  void Remove(PendingCall& call);
  /// Null if there is no such call, or no longer.
  PendingCall* Find(std::uint64_t id);

  /// The frames to send next, in order, with their remaining time filled in: at least one if there are any, and
  /// otherwise as many as stay within the two limits.
  std::vector<Frame> TakeUnsent(TimePoint now, std::size_t max_frames, std::size_t max_bytes);

  /// Of all calls; not when empty.
  TimePoint EarliestDeadline() const;

  /// Ids of the calls that `predicate` holds for, in the order of their slots. By id, since ending one call may end
  /// others.
  template <typename Predicate>
  std::vector<std::uint64_t> IdsOf(Predicate predicate) const {
    std::vector<std::uint64_t> ids;
    for (const PendingCall* call : slots_) {
      if (call != nullptr && predicate(*call)) ids.push_back(call->id);
    }
    return ids;
  }

 private:
  static constexpr std::size_t kSlots = RpcClient::kMaxCallsInFlight;
  static_assert((kSlots & (kSlots - 1)) == 0, "the slot is the id's low bits");

  std::array<PendingCall*, kSlots> slots_{};
  std::vector<std::uint32_t> free_slots_;  // the last one is taken next
  std::vector<PendingCall*> unsent_;
  std::uint64_t next_sequence_ = 1;
  std::size_t size_ = 0;
};

}  // namespace gabion
