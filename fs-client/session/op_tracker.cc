#include "fs-client/session/op_tracker.h"

#include "common/base/check.h"

namespace gabion {

OpSeq OpTracker::Begin() {
  std::lock_guard lock(mutex_);
  ended_.push_back(false);
  return OpSeq(low_ + ended_.size() - 1);
}

void OpTracker::End(OpSeq seq) {
  std::lock_guard lock(mutex_);
  CHECK(seq.value() >= low_ && seq.value() - low_ < ended_.size());
  ended_[seq.value() - low_] = true;
  while (!ended_.empty() && ended_.front()) {
    ended_.pop_front();
    ++low_;
  }
}

OpSeq OpTracker::acked_below() const {
  std::lock_guard lock(mutex_);
  return OpSeq(low_);
}

}  // namespace gabion
