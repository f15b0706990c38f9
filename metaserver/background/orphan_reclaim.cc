#include "metaserver/background/duties.h"
#include "metaserver/op/ops.h"

namespace gabion {

namespace {

// Whoever has a lease on such a file returns it, or is evicted meanwhile: other files need not wait for that.
constexpr Duration kWaitForLeases = std::chrono::milliseconds(500);

}  // namespace

Task<Result<void>> Duties::ReclaimOrphans() {
  for (const std::shared_ptr<Volume>& volume : volumes_.List()) {
    std::vector<Ino> unused;
    volume->WithState([&](VolumeState& state) {
      if (state.closed || state.sessions.awaiting_reclaim()) return;
      for (Ino ino : state.orphans) {
        if (unused.size() == kMaxStepsPerPass) break;
        if (!state.MayBeOpen(ino)) unused.push_back(ino);
      }
    });
    for (Ino ino : unused) {
      if (stopping_) co_return Result<void>();
      // Asked again on the strand: it may have been opened, or been given a name, meanwhile.
      Volume::Decision decide = [ino](Txn& txn, OpContext& context) { return op::RemoveOrphan(txn, context, ino); };
      const TimePoint wait_until = env_.clock.Now() + kWaitForLeases;
      Result<void> removed = co_await volume->Run(std::move(decide), nullptr, env_, wait_until);
      if (!removed && removed.error().code() == ErrorCode::kHeld) continue;  // the next pass tries again
      CO_TRY(removed);
      co_await Yield();
    }
  }
  co_return Result<void>();
}

}  // namespace gabion
