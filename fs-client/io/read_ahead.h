#pragma once

#include <cstdint>

#include "common/base/byte_units.h"

namespace gabion {

/// Decides what to read before it is asked for, from the reads of one handle. Pure; guarded by the file's mutex.
///
/// A stream is recognised at its second read in a row. Then a window ahead of it is kept requested, doubling from 512
/// KiB to 8 MiB. The kernel's own read-ahead sends reads of one stream side by side, so they may come out of order
/// within kSlack.
class ReadAhead {
 public:
  static constexpr std::uint64_t kFirstWindow = 512 * kKiB;
  static constexpr std::uint64_t kLargestWindow = 8 * kMiB;
  static constexpr std::uint64_t kSlack = kMiB;
  /// Requests end at multiples of this: one read of one chunk each.
  static constexpr std::uint64_t kSegmentBytes = kMiB;

  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool empty() const { return begin >= end; }
  };

  /// The range to request now, after the read of [offset, offset + size): block-aligned, within the file's blocks.
  Range OnRead(std::uint64_t offset_bytes, std::uint64_t size_bytes, std::uint64_t file_bytes);
  /// What lies before is not going to be read again by this stream.
  std::uint64_t passed() const { return high_ > kSlack ? high_ - kSlack : 0; }
  /// The last range was not or only in part requested: it ends at `end`.
  void CutPlan(std::uint64_t end_bytes) { planned_ = end_bytes; }
  /// What was requested is void.
  void Restart();

 private:
  std::uint64_t high_ = 0;   // the end of the furthest read of the stream
  std::uint64_t reads_ = 0;  // in a row
  std::uint64_t window_ = 0;
  std::uint64_t planned_ = 0;  // requested up to here
};

}  // namespace gabion
