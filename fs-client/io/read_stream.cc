#include "fs-client/io/read_stream.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace gabion {

std::vector<ReadSegmentPtr> ReadStream::OnRead(std::uint64_t offset, std::uint64_t size, std::uint64_t file_bytes,
                                               MemoryBudget& budget) {
  ReadAhead::Range range = plan_.OnRead(offset, size, file_bytes);
  while (!segments_.empty() && segments_.begin()->second->end_bytes <= plan_.passed())
    segments_.erase(segments_.begin());

  std::vector<ReadSegmentPtr> started;
  while (!range.empty()) {
    std::uint64_t border = RoundDown(range.begin, ReadAhead::kSegmentBytes) + ReadAhead::kSegmentBytes;
    std::uint64_t end = std::min(border, range.end);
    if (!Find(range.begin)) {
      if (segments_.size() >= kMaxSegments || !budget.TryTakeForReading(end - range.begin)) {
        plan_.CutPlan(range.begin);
        break;
      }
      auto segment = std::make_shared<ReadSegment>(budget, range.begin, end);
      segments_[range.begin] = segment;
      started.push_back(std::move(segment));
    }
    range.begin = end;
  }
  return started;
}

ReadSegmentPtr ReadStream::Find(std::uint64_t offset) const {
  auto next = segments_.upper_bound(offset);
  if (next == segments_.begin()) return nullptr;
  const ReadSegmentPtr& segment = std::prev(next)->second;
  return segment->end_bytes > offset ? segment : nullptr;
}

std::uint64_t ReadStream::NextBegin(std::uint64_t offset) const {
  auto next = segments_.upper_bound(offset);
  return next == segments_.end() ? std::numeric_limits<std::uint64_t>::max() : next->first;
}

WaitList::Waiters ReadStream::Drop(std::uint64_t begin, std::uint64_t end) {
  WaitList::Waiters woken;
  bool any = false;
  for (auto at = segments_.begin(); at != segments_.end();) {
    ReadSegment& segment = *at->second;
    if (segment.begin_bytes >= end || segment.end_bytes <= begin) {
      ++at;
      continue;
    }
    any = true;
    segment.state = ReadSegment::State::kDead;
    WaitList::Waiters waiters = segment.settled.TakeAll();
    woken.insert(woken.end(), waiters.begin(), waiters.end());
    at = segments_.erase(at);
  }
  if (any) plan_.Restart();
  return woken;
}

}  // namespace gabion
