#include "metaserver/lease/contention.h"

#include <algorithm>

namespace gabion {

void Contention::Note(Ino ino, TimePoint now) {
  if (pauses_.size() >= kMaxInodes) MakeRoom(now);
  auto [found, is_new] = pauses_.try_emplace(ino);
  Pause& pause = found->second;
  if (!is_new && now < pause.until) return;  // others want it as well
  const bool again = !is_new && now < pause.until + pause.length;
  pause.length = again ? std::min<Duration>(pause.length * 2, kLongest) : kShortest;
  pause.until = now + pause.length;
}

bool Contention::IsContended(Ino ino, TimePoint now) const {
  auto found = pauses_.find(ino);
  return found != pauses_.end() && now < found->second.until;
}

void Contention::MakeRoom(TimePoint now) {
  std::erase_if(pauses_, [now](const auto& entry) { return now >= entry.second.until + entry.second.length; });
  if (pauses_.size() >= kMaxInodes / 2) pauses_.clear();  // or it would look at all of them again soon
}

}  // namespace gabion
