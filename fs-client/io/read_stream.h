#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "common/base/buffer.h"
#include "fs-client/io/memory_budget.h"
#include "fs-client/io/read_ahead.h"
#include "fs-client/io/wait_list.h"

namespace gabion {

/// A range that is being read, or was read, before it was asked for. Its bytes count against the budget while it lives.
struct ReadSegment {
  ReadSegment(MemoryBudget& memory, std::uint64_t begin, std::uint64_t end)
      : budget(memory), begin_bytes(begin), end_bytes(end) {}
  ~ReadSegment() { budget.GiveRead(end_bytes - begin_bytes); }
  ReadSegment(const ReadSegment&) = delete;
  ReadSegment& operator=(const ReadSegment&) = delete;

  MemoryBudget& budget;
  const std::uint64_t begin_bytes;
  const std::uint64_t end_bytes;

  // Under the inode's mutex.
  enum class State { kLoading, kReady, kDead } state = State::kLoading;  // dead: overwritten meanwhile, or failed
  Payload payload;                                                       // of a ready one: all its bytes
  WaitList settled;                                                      // woken when it is no longer loading
};
using ReadSegmentPtr = std::shared_ptr<ReadSegment>;

/// The read-ahead of one handle. Guarded by the inode's mutex.
class ReadStream {
 public:
  static constexpr std::size_t kMaxSegments = 24;

  /// Notes a read; the segments to load now, as far as the budget allows.
  std::vector<ReadSegmentPtr> OnRead(std::uint64_t offset_bytes, std::uint64_t size_bytes, std::uint64_t file_bytes,
                                     MemoryBudget& budget);
  /// The segment that has the byte at `offset_bytes`; null if none.
  ReadSegmentPtr Find(std::uint64_t offset_bytes) const;
  /// Where the next segment after `offset_bytes` begins; UINT64_MAX if none does.
  std::uint64_t NextBegin(std::uint64_t offset_bytes) const;
  /// Forgets what overlaps [begin, end), also what is still being loaded. Returns whom to wake after unlocking.
  WaitList::Waiters Drop(std::uint64_t begin, std::uint64_t end);

 private:
  ReadAhead plan_;
  std::map<std::uint64_t, ReadSegmentPtr> segments_;  // by begin; they do not overlap
};

}  // namespace gabion
