#include "fs-client/io/flush_queue.h"

#include <vector>

#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

class FlushQueueTest : public CoreFixture {
 protected:
  OpenInodePtr Add(std::uint64_t number) {
    auto inode = std::make_shared<OpenInode>(Ino(number));
    inode->home = &loop_;
    queue_.Add(inode);
    return inode;
  }
  Task<void> Flush(Duration time) {
    ++running_;
    co_await loop_.env().clock.SleepFor(time);
    --running_;
    ++done_;
  }

  Duration time_ = std::chrono::milliseconds(10);
  std::size_t running_ = 0;
  std::size_t done_ = 0;
  FlushQueue queue_{tasks_, [this](ClientLoop*, OpenInodePtr) { return Flush(time_); }};
};

TEST_F(FlushQueueTest, TheNextOneBeginsWhenOneEnds) {
  for (std::uint64_t i = 0; i < 2 * FlushQueue::kMaxRunning; ++i) Add(i);
  EXPECT_TRUE(queue_.has_waiting());
  world_.RunFor(std::chrono::milliseconds(5));
  EXPECT_EQ(running_, FlushQueue::kMaxRunning);
  world_.RunFor(std::chrono::milliseconds(10));
  EXPECT_EQ(done_, FlushQueue::kMaxRunning);
  EXPECT_EQ(running_, FlushQueue::kMaxRunning);
  EXPECT_FALSE(queue_.has_waiting());
  world_.RunFor(std::chrono::milliseconds(10));
  EXPECT_EQ(done_, 2 * FlushQueue::kMaxRunning);
}

TEST_F(FlushQueueTest, OneAtATimeOfAFileAndItsEndIsToldOf) {
  OpenInodePtr inode = Add(1);
  queue_.Add(inode);
  EXPECT_TRUE(inode->flushing);
  std::shared_ptr<AsyncEvent> changed = inode->changed.Add();
  auto wait = [](std::shared_ptr<AsyncEvent> event) -> Task<void> { co_await event->Wait(); };
  Run(wait(std::move(changed)));
  EXPECT_EQ(done_, 1u);
  EXPECT_FALSE(inode->flushing);
  queue_.Add(inode);
  world_.RunFor(std::chrono::milliseconds(20));
  EXPECT_EQ(done_, 2u);
}

TEST_F(FlushQueueTest, SlowOnesDoNotHoldUpOthers) {
  time_ = std::chrono::seconds(60);
  for (std::uint64_t i = 0; i < FlushQueue::kMaxRunning; ++i) Add(i);
  world_.RunFor(std::chrono::milliseconds(1));
  time_ = std::chrono::milliseconds(10);
  Add(1000);
  world_.RunFor(std::chrono::seconds(1));
  queue_.PassSlow(loop_.Now());
  EXPECT_TRUE(queue_.has_waiting());
  world_.RunFor(FlushQueue::kSlow);
  queue_.PassSlow(loop_.Now());
  world_.RunFor(std::chrono::milliseconds(20));
  EXPECT_EQ(done_, 1u);
  world_.RunFor(std::chrono::seconds(60));
  EXPECT_EQ(done_, FlushQueue::kMaxRunning + 1);
}

}  // namespace
}  // namespace gabion
