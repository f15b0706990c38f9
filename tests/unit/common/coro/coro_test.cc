#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <atomic>
#include <vector>

#include "common/coro/async_event.h"
#include "common/coro/async_mutex.h"
#include "common/coro/resumer.h"
#include "common/coro/task_group.h"

namespace gabion {
namespace {

Task<void> Yield() {
  Executor executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

/// Coroutines on one loop, run by the test's thread until none of them can go on.
class CoroTest : public testing::Test {
 protected:
  void Spawn(Task<void> task) {
    asio::co_spawn(io_, std::move(task), [this](std::exception_ptr exception) {
      if (exception) std::rethrow_exception(exception);
      ++ended_;
    });
  }
  void RunDry() {
    io_.restart();
    io_.poll();
  }

  asio::io_context io_{1};
  int ended_ = 0;
};

Task<void> WaitFor(AsyncEvent& event) {
  co_await event.Wait();
}

using AsyncEventTest = CoroTest;

TEST_F(AsyncEventTest, SetWakesEverybodyAndStaysSet) {
  AsyncEvent event;
  for (int i = 0; i < 3; ++i) Spawn(WaitFor(event));
  RunDry();
  EXPECT_EQ(ended_, 0);
  event.Set();
  RunDry();
  EXPECT_EQ(ended_, 3);
  Spawn(WaitFor(event));
  RunDry();
  EXPECT_EQ(ended_, 4);
}

TEST_F(AsyncEventTest, ResetMakesThemWaitAgain) {
  AsyncEvent event;
  event.Set();
  event.Reset();
  Spawn(WaitFor(event));
  RunDry();
  EXPECT_EQ(ended_, 0);
  event.Set();
  RunDry();
  EXPECT_EQ(ended_, 1);
}

TEST_F(AsyncEventTest, NotifyAllWakesThoseWhoWaitNow) {
  AsyncEvent event;
  Spawn(WaitFor(event));
  RunDry();
  event.NotifyAll();
  Spawn(WaitFor(event));
  RunDry();
  EXPECT_EQ(ended_, 1);
  event.NotifyAll();
  RunDry();
  EXPECT_EQ(ended_, 2);
}

Task<void> Hold(AsyncMutex& mutex, int number, std::vector<int>& order, bool& held) {
  AsyncMutex::Guard guard = co_await mutex.Lock();
  EXPECT_FALSE(held);
  held = true;
  co_await Yield();
  order.push_back(number);
  held = false;
}

using AsyncMutexTest = CoroTest;

TEST_F(AsyncMutexTest, OneAtATimeInTheOrderTheyCame) {
  AsyncMutex mutex;
  std::vector<int> order;
  bool held = false;
  for (int i = 0; i < 5; ++i) Spawn(Hold(mutex, i, order, held));
  RunDry();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
  Spawn(Hold(mutex, 5, order, held));
  RunDry();
  EXPECT_EQ(ended_, 6);
}

Task<void> Count(AsyncMutex& mutex, int rounds, int& counter) {
  for (int i = 0; i < rounds; ++i) {
    AsyncMutex::Guard guard = co_await mutex.Lock();
    const int seen = counter;
    co_await Yield();
    counter = seen + 1;
  }
}

// On several threads, and none of them gets in between another's read and write.
TEST(AsyncMutexThreadsTest, ExcludesAcrossThreads) {
  asio::thread_pool threads(4);
  AsyncMutex mutex;
  int counter = 0;
  for (int i = 0; i < 8; ++i) {
    asio::co_spawn(asio::make_strand(threads), Count(mutex, 200, counter), asio::detached);
  }
  threads.join();
  EXPECT_EQ(counter, 1600);
}

Task<void> JoinThen(TaskGroup& group, bool& joined) {
  co_await group.Join();
  joined = true;
}

using TaskGroupTest = CoroTest;

TEST_F(TaskGroupTest, JoinWaitsForAll) {
  TaskGroup group;
  AsyncEvent event;
  for (int i = 0; i < 3; ++i) group.Spawn(io_.get_executor(), WaitFor(event));
  bool joined = false;
  Spawn(JoinThen(group, joined));
  RunDry();
  EXPECT_EQ(group.size(), 3u);
  EXPECT_FALSE(joined);
  event.Set();
  RunDry();
  EXPECT_TRUE(joined);
  EXPECT_EQ(group.size(), 0u);
}

Task<void> MarkRun(bool& ran) {
  ran = true;
  co_return;
}

TEST_F(TaskGroupTest, SpawnStartsNothingBeforeTheCallerReturns) {
  TaskGroup group;
  bool ran = false;
  group.Spawn(io_.get_executor(), MarkRun(ran));
  EXPECT_FALSE(ran);
  RunDry();
  EXPECT_TRUE(ran);
}

TEST_F(TaskGroupTest, ClosedGroupDropsWhatComes) {
  TaskGroup group;
  group.Close();
  bool ran = false;
  group.Spawn(io_.get_executor(), MarkRun(ran));
  bool joined = false;
  Spawn(JoinThen(group, joined));
  RunDry();
  EXPECT_FALSE(ran);
  EXPECT_TRUE(joined);
}

TEST_F(TaskGroupTest, DestroyingItWhileTasksRunIsABrokenInvariant) {
  EXPECT_DEATH(
      {
        AsyncEvent event;
        TaskGroup group;
        group.Spawn(io_.get_executor(), WaitFor(event));
      },
      "size");
}

Task<void> Bump(std::atomic<int>& counter) {
  co_await Yield();
  ++counter;
}

Task<void> SpawnMany(TaskGroup& group, Executor executor, std::atomic<int>& counter) {
  for (int i = 0; i < 100; ++i) group.Spawn(executor, Bump(counter));
  co_await group.Join();
}

TEST(TaskGroupThreadsTest, TasksMayEndOnAnyThread) {
  asio::thread_pool threads(4);
  std::atomic<int> counter = 0;
  for (int round = 0; round < 20; ++round) {
    // Destroyed as soon as Join returns, while the last task's thread may still be in its last lines.
    TaskGroup group;
    std::atomic<bool> done = false;
    asio::co_spawn(asio::make_strand(threads), SpawnMany(group, threads.get_executor(), counter),
                   [&done](std::exception_ptr) {
                     done = true;
                     done.notify_one();
                   });
    done.wait(false);
  }
  threads.join();
  EXPECT_EQ(counter, 2000);
}

Task<void> ResumeFromElsewhere(asio::thread_pool& threads, Executor own, bool& back_home) {
  auto start = [&threads](std::function<void()> resume) { asio::post(threads, std::move(resume)); };
  co_await SuspendUntilResumed(start);
  Executor now = co_await asio::this_coro::executor;
  back_home = now == own;
}

TEST_F(CoroTest, ResumedFromAnotherThreadItGoesOnOnItsOwnLoop) {
  asio::thread_pool threads(1);
  bool back_home = false;
  auto work = asio::make_work_guard(io_);
  Spawn(ResumeFromElsewhere(threads, io_.get_executor(), back_home));
  io_.restart();
  while (ended_ == 0) io_.run_one();
  EXPECT_TRUE(back_home);
}

}  // namespace
}  // namespace gabion
