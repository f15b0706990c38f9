#include "common/rpc/call_table.h"

#include <algorithm>

#include "common/base/check.h"

namespace gabion {
namespace {

/// At least 1: 0 means "unstated".
std::uint32_t RemainingMs(TimePoint now, TimePoint deadline) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 1, UINT32_MAX));
}

}  // namespace

CallTable::CallTable() {
  free_slots_.reserve(kSlots);
  for (std::size_t i = kSlots; i > 0; --i) free_slots_.push_back(static_cast<std::uint32_t>(i - 1));
}

void CallTable::Add(PendingCall& call) {
  CHECK(!full());
  std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  call.id = next_sequence_++ * kSlots + slot;
  call.frame.request_id = call.id;
  slots_[slot] = &call;
  unsent_.push_back(&call);
  ++size_;
}

void CallTable::Remove(PendingCall& call) {
  auto slot = static_cast<std::uint32_t>(call.id % kSlots);
  CHECK(slots_[slot] == &call);
  slots_[slot] = nullptr;
  free_slots_.push_back(slot);
  --size_;
  if (!call.sent) std::erase(unsent_, &call);
}

PendingCall* CallTable::Find(std::uint64_t id) {
  PendingCall* call = slots_[id % kSlots];
  return call != nullptr && call->id == id ? call : nullptr;
}

std::vector<Frame> CallTable::TakeUnsent(TimePoint now, std::size_t max_frames, std::size_t max_bytes) {
  std::vector<Frame> frames;
  std::size_t count = std::min(unsent_.size(), max_frames);
  frames.reserve(count);
  std::size_t bytes = 0;
  for (PendingCall* call : unsent_) {
    bytes += call->frame.header.size() + call->frame.payload.size();
    if (frames.size() == count || (!frames.empty() && bytes > max_bytes)) break;
    call->sent = true;
    call->frame.deadline_ms = RemainingMs(now, call->deadline);
    frames.push_back(std::move(call->frame));
  }
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(frames.size()));
  return frames;
}

TimePoint CallTable::EarliestDeadline() const {
  TimePoint earliest{INT64_MAX};
  for (const PendingCall* call : slots_) {
    if (call != nullptr) earliest = std::min(earliest, call->deadline);
  }
  return earliest;
}

}  // namespace gabion
