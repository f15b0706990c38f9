// Syncs of a store: rounds that many callers share, the end of what they made durable, and the upkeep between them.
#include "chunkserver/store/store_core.h"
#include "common/base/log.h"

namespace gabion {
namespace {

// Previous records ended in one commit: bounds how long the store's mutex is held.
constexpr std::size_t kEndedAtOnce = 128;
// Beyond this many generations, ending them does not wait for the upkeep: look-ups go through all of them.
constexpr std::size_t kGenerationsMax = 4;

}  // namespace

struct StoreCore::SyncRound {
  AsyncEvent done;
  Result<void> result;
};

Task<Result<void>> StoreCore::Sync() {
  std::shared_ptr<SyncRound> round;
  bool leads = false;
  {
    std::lock_guard lock(mutex_);
    if (offline_) co_return Error(ErrorCode::kUnavailable, "store " + name_ + " is offline: " + offline_->message());
    bool clean = state_->dirty_slabs.empty() && state_->applied <= state_->durable;
    if (clean && !round_running_ && next_round_ == nullptr) co_return Result<void>();
    leads = next_round_ == nullptr;
    if (leads) next_round_ = std::make_shared<SyncRound>();
    round = next_round_;
  }
  if (!leads) {
    co_await round->done.Wait();
    co_return round->result;
  }
  // The first one runs the round for all who come until the one before it has ended.
  {
    AsyncMutex::Guard running = co_await round_mutex_.Lock();
    {
      std::lock_guard lock(mutex_);
      next_round_ = nullptr;
      round_running_ = true;
    }
    round->result = co_await RunRound();
    std::lock_guard lock(mutex_);
    round_running_ = false;
  }
  round->done.Set();
  bool many = false;
  {
    std::lock_guard lock(mutex_);
    many = state_->pending.Generations().size() > kGenerationsMax ||
           state_->pending.size() > options_.pending_pages_max / 4;
  }
  if (many) {
    Executor executor = co_await asio::this_coro::executor;
    tasks_.Spawn(executor, EndDurableGenerations());
  }
  co_return round->result;
}

Task<Result<void>> StoreCore::RunRound() {
  std::set<std::uint32_t> dirty;
  std::uint64_t generation = 0;
  {
    std::lock_guard lock(mutex_);
    dirty.swap(state_->dirty_slabs);
    // Whatever is committed from here on may be in the slabs too late for this sync.
    generation = state_->pending.StartNext();
  }
  for (std::uint32_t index : dirty) {
    DiskFile* slab = Slab(index);
    Result<void> synced = co_await slab->Sync();
    if (!synced) {
      GoOffline(synced.error());
      co_return synced.error();
    }
  }
  Result<void> synced = co_await SyncIndex();
  if (!synced) co_return synced;
  std::lock_guard lock(mutex_);
  durable_generation_ = generation;
  co_return Result<void>();
}

Task<Result<void>> StoreCore::SyncIndex() {
  Result<CommitSeq> durable = co_await index_.Sync();
  if (!durable) {
    GoOffline(durable.error());
    co_return durable.error();
  }
  std::lock_guard lock(mutex_);
  state_->durable = std::max(state_->durable, *durable);
  state_->gate.Durable(*durable);
  state_->ReleaseReusable();
  co_return Result<void>();
}

Task<void> StoreCore::EndDurableGenerations() {
  AsyncMutex::Guard ending = co_await end_mutex_.Lock();
  bool more = true;
  while (more && CheckOnline()) {
    MissingKey missing;
    Result<bool> ended = [&]() -> Result<bool> {
      std::lock_guard lock(mutex_);
      std::vector<std::uint64_t> generations = state_->pending.Generations();
      if (generations.empty() || generations.front() > durable_generation_) return false;
      Result<bool> rest = state_->EndPrevious(generations.front(), kEndedAtOnce, missing);
      if (!rest) return rest;
      return true;  // there may be another generation
    }();
    if (ended) {
      more = *ended;
      continue;
    }
    if (ended.error().code() != ErrorCode::kWouldBlock) {
      GoOffline(ended.error());
      co_return;
    }
    Result<void> loaded = co_await index_.Load(missing.key);
    if (!loaded) {
      GoOffline(loaded.error());
      co_return;
    }
  }
}

Task<void> StoreCore::EarlyUpkeep() {
  Result<void> synced = co_await Sync();
  if (synced) co_await EndDurableGenerations();
  bool move = false;
  {
    std::lock_guard lock(mutex_);
    move = InlineIsHalfFullLocked();
  }
  if (synced && move) {
    Result<void> moved = co_await MoveInline();
    if (!moved) LogWarning("store {}: moving small writes to their place: {}", name_, moved.error().ToString());
  }
  std::lock_guard lock(mutex_);
  early_upkeep_ = false;
}

Task<void> StoreCore::Upkeep() {
  TimePoint synced_at = env_.clock.Now();
  while (!stopping_) {
    TimePoint next = env_.clock.Now() + options_.upkeep_interval;
    co_await upkeep_sleep_.Until(env_, next);
    if (stopping_ || !CheckOnline()) co_return;
    bool spent = false;
    bool unsynced = false;
    {
      std::lock_guard lock(mutex_);
      spent = reserved_since_space_ > 0 || ++upkeep_turns_ % kSpaceTurns == 0;
      unsynced = !state_->dirty_slabs.empty() || state_->applied > state_->durable;
    }
    if (env_.clock.Now() - synced_at >= options_.sync_interval) {
      synced_at = env_.clock.Now();
      if (unsynced) {
        Result<void> synced = co_await Sync();
        if (!synced) co_return;
      }
      Result<void> moved = co_await MoveInline();
      if (!moved) LogWarning("store {}: moving small writes to their place: {}", name_, moved.error().ToString());
    }
    co_await EndDurableGenerations();
    co_await PunchFreed(false);
    co_await ExpireTombstones();
    if (spent) {
      Result<void> refreshed = co_await RefreshSpace();
      if (!refreshed) co_return;
    }
  }
}

}  // namespace gabion
