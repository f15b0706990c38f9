// The end of what removed chunks leave behind.
#include "chunkserver/store/store_core.h"
#include "common/env/kv_store.h"

namespace gabion {
namespace {

constexpr std::size_t kExpiredAtOnce = 128;  // bounds how long the store's mutex is held
constexpr int kStepsMax = 8;                 // a turn of the upkeep

}  // namespace

Task<void> StoreCore::ExpireTombstones() {
  for (int step = 0; step < kStepsMax; ++step) {
    Result<bool> more = [&] {
      std::lock_guard lock(mutex_);
      return state_->ExpireTombstones(tombstone_cursor_, kExpiredAtOnce, WallNowNs(), options_.tombstone_keep);
    }();
    if (more && !*more) {
      tombstone_cursor_ = ChunkId();
      co_return;
    }
    if (more) continue;
    if (more.error().code() != ErrorCode::kWouldBlock) {
      GoOffline(more.error());
      co_return;
    }
    std::string first = TombstoneKey(tombstone_cursor_.next());
    std::string end = PrefixEnd(std::string(1, kTombstoneTable));
    Result<void> loaded = co_await index_.LoadRange(first, end, kExpiredAtOnce);
    if (!loaded) {
      GoOffline(loaded.error());
      co_return;
    }
  }
}

}  // namespace gabion
