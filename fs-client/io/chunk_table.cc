#include "fs-client/io/chunk_table.h"

namespace gabion {

std::optional<ChunkPlace> ChunkTable::Find(std::uint64_t index) const {
  auto found = places_.find(index);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

void ChunkTable::Set(std::uint64_t index, ChunkPlace place) {
  if (places_.size() >= kMaxKnown) places_.clear();
  places_[index] = place;
}

void ChunkTable::ForgetFrom(std::uint64_t first) {
  places_.erase(places_.lower_bound(first), places_.end());
  ++generation_;
}

void ChunkTable::Clear() {
  places_.clear();
  ++generation_;
}

}  // namespace gabion
