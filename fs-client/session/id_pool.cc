#include "fs-client/session/id_pool.h"

#include <algorithm>
#include <limits>

namespace gabion {

void IdPool::Add(std::uint64_t first, std::uint64_t count) {
  if (first == 0) return;  // 0 is "none" for every kind of id
  count = std::min(count, std::numeric_limits<std::uint64_t>::max() - first);
  if (count == 0) return;
  ranges_.push_back({first, count});
  remaining_ += count;
}

std::optional<std::uint64_t> IdPool::Take() {
  if (ranges_.empty()) return std::nullopt;
  Range& range = ranges_.front();
  std::uint64_t id = range.first++;
  --remaining_;
  if (--range.count == 0) ranges_.pop_front();
  return id;
}

void IdPool::Clear() {
  ranges_.clear();
  remaining_ = 0;
}

}  // namespace gabion
