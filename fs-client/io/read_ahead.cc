#include "fs-client/io/read_ahead.h"

#include <algorithm>

namespace gabion {

ReadAhead::Range ReadAhead::OnRead(std::uint64_t offset, std::uint64_t size, std::uint64_t file_bytes) {
  std::uint64_t end = offset + size;
  bool in_row = reads_ > 0 && offset <= high_ + kSlack && offset + kSlack >= high_ && end > passed();
  if (!in_row) {
    high_ = end;
    reads_ = 1;
    window_ = 0;
    planned_ = 0;
    return {};
  }
  // Reading the same blocks again is not a stream.
  if (end > high_) ++reads_;
  high_ = std::max(high_, end);
  if (reads_ < 2) return {};
  if (planned_ > high_ && planned_ - high_ > window_ / 2) return {};

  window_ = std::clamp(window_ * 2, kFirstWindow, kLargestWindow);
  Range range;
  range.begin = RoundUp(std::max(planned_, high_), kBlockBytes);
  range.end = std::min(RoundUp(high_ + window_, kSegmentBytes), RoundUp(file_bytes, kBlockBytes));
  if (range.empty()) return {};
  planned_ = range.end;
  return range;
}

void ReadAhead::Restart() {
  planned_ = 0;
  window_ = 0;
}

}  // namespace gabion
