#include "common/env/real/blocking_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "common/coro/task_group.h"
#include "tests/unit/common/rpc/loops.h"

namespace gabion {
namespace {

TEST(BlockingPoolTest, DestructorFinishesWhatWasSubmitted) {
  std::atomic<int> done = 0;
  {
    BlockingPool pool(2);
    for (int i = 0; i < 100; ++i) pool.Submit([&done] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

TEST(BlockingPoolTest, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  {
    BlockingPool pool(1);
    for (int i = 0; i < 10; ++i) pool.Submit([&order, i] { order.push_back(i); });
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(BlockingPoolTest, JobsRunAtTheSameTime) {
  BlockingPool pool(3);
  std::latch all(3);  // each waits for the others
  std::latch done(3);
  for (int i = 0; i < 3; ++i) {
    pool.Submit([&all, &done] {
      all.arrive_and_wait();
      done.count_down();
    });
  }
  done.wait();
}

struct Threads {
  std::thread::id before, job, after;
};

Task<Threads> RunOne(BlockingPool& pool) {
  Threads threads;
  threads.before = std::this_thread::get_id();
  std::function<void()> job = [&threads] { threads.job = std::this_thread::get_id(); };
  co_await pool.Run(std::move(job));
  threads.after = std::this_thread::get_id();
  co_return threads;
}

TEST(BlockingPoolTest, CoroutineComesBackToItsLoop) {
  Loops loops;
  BlockingPool pool(1);
  const Threads threads = loops.Run(RunOne(pool));
  EXPECT_EQ(threads.before, threads.after);
  EXPECT_NE(threads.before, threads.job);
}

Task<void> RunManyJobs(BlockingPool& pool, int count, int& total) {
  for (int i = 0; i < count; ++i) {
    int one = 0;
    std::function<void()> job = [&one] { one = 1; };
    co_await pool.Run(std::move(job));
    total += one;
  }
}

Task<int> RunManyCoroutines(BlockingPool& pool, Env& env) {
  TaskGroup group;
  int total = 0;
  for (int i = 0; i < 20; ++i) group.Spawn(env.executor, RunManyJobs(pool, 50, total));
  co_await group.Join();
  co_return total;
}

TEST(BlockingPoolTest, EachCoroutineGetsItsOwnResult) {
  Loops loops;
  BlockingPool pool(3);
  EXPECT_EQ(loops.Run(RunManyCoroutines(pool, loops.env())), 1000);
}

}  // namespace
}  // namespace gabion
