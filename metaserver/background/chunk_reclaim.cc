#include "metaserver/background/duties.h"
#include "metaserver/op/removal.h"

namespace gabion {

namespace {

constexpr std::size_t kChunkRecordsPerStep = 128;

}  // namespace

Task<Result<void>> Duties::ReclaimChunks() {
  int steps = 0;
  for (const std::shared_ptr<Volume>& volume : volumes_.List()) {
    std::vector<Ino> waiting;
    volume->WithState([&](VolumeState& state) {
      if (!state.closed) waiting.assign(state.reclaims.begin(), state.reclaims.end());
    });
    for (Ino ino : waiting) {
      bool finished = false;
      while (!finished && !stopping_ && steps < kMaxStepsPerPass) {
        Volume::Decision decide = [ino, &finished](Txn& txn, OpContext& context) -> Result<void> {
          finished = !context.state.reclaims.contains(ino);
          if (finished) return {};
          context.waits = false;  // no answer shows what it changes
          return ReclaimStep(txn, context, ino, kChunkRecordsPerStep);
        };
        Result<void> stepped = co_await volume->Run(std::move(decide), nullptr, env_);
        CO_TRY(stepped);
        ++steps;
        co_await Yield();
      }
      if (stopping_ || steps == kMaxStepsPerPass) co_return Result<void>();
    }
  }
  co_return Result<void>();
}

}  // namespace gabion
