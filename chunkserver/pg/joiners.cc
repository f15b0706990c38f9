#include "chunkserver/pg/joiners.h"

namespace gabion {

Joiners::Joiner* Joiners::FindLocked(PgId pg, Epoch epoch, ServerId joiner) {
  Joiner& found = joiners_[{pg, joiner}];
  if (found.epoch > epoch) return nullptr;
  if (found.epoch < epoch) found = Joiner{epoch, false, false, {}};
  return &found;
}

Joiners::Part Joiners::PartIn(PgId pg, Epoch epoch, ServerId joiner, ChunkId chunk, bool can_apply) {
  std::lock_guard lock(mutex_);
  Joiner* found = FindLocked(pg, epoch, joiner);
  if (found == nullptr) return Part::kSkip;
  if (found->required) return Part::kRequired;
  if (can_apply && !found->out_of_reach) return Part::kOptional;
  found->missed.insert(chunk);
  return Part::kSkip;
}

bool Joiners::Missed(PgId pg, Epoch epoch, ServerId joiner, ChunkId chunk) {
  std::lock_guard lock(mutex_);
  Joiner* found = FindLocked(pg, epoch, joiner);
  if (found == nullptr) return false;
  if (found->required) return true;
  found->missed.insert(chunk);
  found->out_of_reach = true;
  return false;
}

void Joiners::Reached(PgId pg, Epoch epoch, ServerId joiner) {
  std::lock_guard lock(mutex_);
  if (Joiner* found = FindLocked(pg, epoch, joiner)) found->out_of_reach = false;
}

std::vector<ChunkId> Joiners::TakeMissed(PgId pg, Epoch epoch, ServerId joiner) {
  std::lock_guard lock(mutex_);
  Joiner* found = FindLocked(pg, epoch, joiner);
  if (found == nullptr) return {};
  std::set<ChunkId> missed = std::exchange(found->missed, {});
  return {missed.begin(), missed.end()};
}

bool Joiners::Require(PgId pg, Epoch epoch, ServerId joiner) {
  std::lock_guard lock(mutex_);
  Joiner* found = FindLocked(pg, epoch, joiner);
  if (found == nullptr || found->out_of_reach || !found->missed.empty()) return false;
  found->required = true;
  return true;
}

std::vector<ServerId> Joiners::RequiredIn(PgId pg, Epoch epoch) const {
  std::lock_guard lock(mutex_);
  std::vector<ServerId> required;
  for (auto at = joiners_.lower_bound({pg, ServerId()}); at != joiners_.end() && at->first.first == pg; ++at) {
    if (at->second.epoch == epoch && at->second.required) required.push_back(at->first.second);
  }
  return required;
}

}  // namespace gabion
