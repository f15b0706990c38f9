#include "chunkserver/pg/scrub_queue.h"

#include <algorithm>
#include <cstdint>

namespace gabion {

bool ScrubQueue::Add(PgId pg, ChunkId chunk) {
  {
    const std::lock_guard lock(mutex_);
    if (entries_.contains(chunk)) return true;
    if (entries_.size() >= kMaxChunks) return false;
    entries_.emplace(chunk, Entry{{pg, chunk, 0}, TimePoint{INT64_MIN}});
  }
  on_added_();
  return true;
}

std::optional<ScrubQueue::Suspect> ScrubQueue::Take(TimePoint now) {
  const std::lock_guard lock(mutex_);
  auto first = std::min_element(entries_.begin(), entries_.end(),
                                [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
  if (first == entries_.end() || first->second.due > now) return std::nullopt;
  const Suspect suspect = first->second.suspect;
  entries_.erase(first);
  return suspect;
}

void ScrubQueue::PutBack(Suspect suspect, TimePoint due) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() < kMaxChunks) entries_.emplace(suspect.chunk, Entry{suspect, due});
}

std::optional<TimePoint> ScrubQueue::NextDue() const {
  const std::lock_guard lock(mutex_);
  std::optional<TimePoint> next;
  for (const auto& [chunk, entry] : entries_) {
    if (!next || entry.due < *next) next = entry.due;
  }
  return next;
}

}  // namespace gabion
