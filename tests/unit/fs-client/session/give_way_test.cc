#include "fs-client/session/give_way.h"

#include <gmock/gmock.h>

#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(GiveWayTest, AThreadIsNotToldTwiceInARow) {
  GiveWay give_way;
  const TimePoint now{1'000'000'000'000};
  EXPECT_TRUE(give_way.MayTell(1, now));
  give_way.NoteTold(1, now);
  EXPECT_TRUE(give_way.MayTell(2, now));
  EXPECT_FALSE(give_way.MayTell(1, now + milliseconds(1)));
  EXPECT_TRUE(give_way.MayTell(1, now + GiveWay::kInARow)) << "that is another call";
  EXPECT_FALSE(give_way.MayTell(0, now)) << "nobody would ask again";
}

TEST(GiveWayTest, SoManyThreadsAreTold) {
  GiveWay give_way;
  const TimePoint now{1'000'000'000'000};
  for (std::uint32_t i = 1; i <= GiveWay::kMaxThreads; ++i) give_way.NoteTold(i, now);
  EXPECT_FALSE(give_way.MayTell(1'000'000, now));
}

/// The kernel needs a directory's lock, which it holds until a call is answered, to forget an entry.
class WaitingKernelTest : public CoreFixture, public CacheInvalidator {
 protected:
  static constexpr Ino kDirectory{50};
  static constexpr Caller kCaller{0, 0, 77};

  WaitingKernelTest() {
    kernel_.SetInvalidator(this);
    tasks_.Spawn(loop_.env().executor, Tick());
    meta_.On<proto::UnlinkRequest, proto::UnlinkReply>(
        proto::METHOD_UNLINK, [this](const proto::UnlinkRequest& request) -> Result<proto::UnlinkReply> {
          waits_ms_.push_back(request.op().wait_ms());
          if (waits_ms_.size() <= held_) return Error(ErrorCode::kHeld, "as the test wants");
          return proto::UnlinkReply();
        });
    LeaseCache& cache = leases_.cache();
    cache.LetForgetEntries();
    proto::LeaseNote note;
    note.set_era(cache.era());
    note.set_number(1'000'000);
    note.set_asked(cache.generation());
    cache.LearnEntry(note, kDirectory, "x", Ino(51), 0, loop_.Now());
    EXPECT_EQ(cache.EntryFor(kDirectory, "x", Ino(51), loop_.Now()), LeaseCache::kEntryValidity);
  }

  ~WaitingKernelTest() override {
    world_.RunFor(2 * LeaseCache::kEntryValidity);  // until the kernel uses nothing any more
    is_over_ = true;
    world_.RunFor(2 * RunningTime::kTick);  // until nothing runs any more that uses this object
  }

  Task<void> Tick() {
    while (!is_over_) {
      (void)leases_.cache().Running(loop_.Now());
      co_await loop_.env().clock.SleepFor(RunningTime::kTick);
    }
  }
  Task<void> InvalidateData(Ino) override { co_return; }
  Task<bool> InvalidateAttributes(std::vector<Ino>) override { co_return true; }
  bool forgets_entries() const override { return true; }
  Task<bool> InvalidateEntries(Ino, std::vector<std::string>) override {
    co_await here_.env().clock.SleepFor(seconds(1));
    co_return false;
  }

  void BeginToForget() {
    proto::Recall recall;
    recall.set_ino(kDirectory.value());
    recall.set_number(1'000'001);
    recall.add_names("x");
    tasks_.Spawn(loop_.env().executor, Forget(*leases_.cache().RecalledRead(recall)));
    world_.RunFor(4 * RunningTime::kTick);
    EXPECT_TRUE(leases_.IsForgetting());
  }
  Task<void> Forget(LeaseCache::KernelWork work) { (void)co_await leases_.Forget(loop_.env(), std::move(work)); }
  ErrorCode Unlink(MetaCalls::KernelLocks locks = MetaCalls::KernelLocks::kDirectories) {
    auto reply =
        Run(calls_.Mutate<proto::UnlinkReply>(&loop_, kCaller, proto::METHOD_UNLINK, proto::UnlinkRequest(), locks));
    return reply ? ErrorCode::kOk : reply.error().code();
  }

  bool is_over_ = false;
  std::size_t held_ = 1;
  std::vector<std::uint32_t> waits_ms_;
};

TEST_F(WaitingKernelTest, WhoWaitsForOthersWhileTheyWaitForItsKernelGivesWayOnce) {
  BeginToForget();
  held_ = 3;
  EXPECT_EQ(Unlink(), ErrorCode::kStale);
  EXPECT_EQ(Unlink(), ErrorCode::kOk) << "the same thread; it waits";
  EXPECT_THAT(waits_ms_, testing::ElementsAre(150u, 0u, 0u, 0u));
}

TEST_F(WaitingKernelTest, WhomNobodyWaitsForWaits) {
  EXPECT_EQ(Unlink(), ErrorCode::kOk);
  EXPECT_THAT(waits_ms_, testing::ElementsAre(150u, 150u));
}

TEST_F(WaitingKernelTest, WhatHoldsNoLockWaitsForAsLongAsItTakes) {
  BeginToForget();
  EXPECT_EQ(Unlink(MetaCalls::KernelLocks::kNone), ErrorCode::kOk);
  EXPECT_THAT(waits_ms_, testing::ElementsAre(0u, 0u));
}

TEST_F(WaitingKernelTest, WhatMayHaveBeenDoneIsNotDoneOnceMore) {
  BeginToForget();
  meta_.LoseNextReplies(proto::METHOD_UNLINK, 1);
  held_ = 0;
  EXPECT_EQ(Unlink(), ErrorCode::kOk);
}

}  // namespace
}  // namespace gabion
