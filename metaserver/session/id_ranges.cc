#include "metaserver/session/id_ranges.h"

#include <iterator>

namespace gabion {

IdRanges::IdRanges(const google::protobuf::RepeatedPtrField<records::Range>& ranges) {
  for (const records::Range& range : ranges) Add(range.first(), range.count());
}

bool IdRanges::Contains(std::uint64_t id) const {
  auto after = ranges_.upper_bound(id);
  if (after == ranges_.begin()) return false;
  auto range = std::prev(after);
  return id - range->first < range->second;
}

void IdRanges::Add(std::uint64_t first, std::uint64_t count) {
  if (count == 0) return;
  if (!ranges_.empty()) {
    auto newest = std::prev(ranges_.end());
    if (newest->first <= first && first - newest->first == newest->second) {
      newest->second += count;
      return;
    }
  }
  ranges_.insert_or_assign(first, count);
  if (ranges_.size() > kMaxRanges) ranges_.erase(ranges_.begin());
}

void IdRanges::Store(google::protobuf::RepeatedPtrField<records::Range>* ranges) const {
  ranges->Clear();
  for (const auto& [first, count] : ranges_) {
    records::Range* range = ranges->Add();
    range->set_first(first);
    range->set_count(count);
  }
}

}  // namespace gabion
