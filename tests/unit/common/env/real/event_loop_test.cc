#include "common/env/real/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <asio/post.hpp>
#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "common/base/check.h"
#include "common/env/real/host.h"
#include "common/env/real/unique_fd.h"
#include "tests/unit/common/rpc/loops.h"

namespace gabion {
namespace {

/// Work that other threads hand to a loop, as a ring does.
class FakeRing final : public LoopPoller {
 public:
  bool Poll() override {
    ++polls_;
    eventfd_t count = 0;
    if (eventfd_read(event_.get(), &count) != 0) return false;
    handled_ += count;
    handled_.notify_all();
    return true;
  }
  int wake_fd() const override { return event_.get(); }

  void Add() { CHECK(eventfd_write(event_.get(), 1) == 0); }
  std::uint64_t handled() const { return handled_; }
  void WaitFor(std::uint64_t count) {
    for (std::uint64_t seen = handled_; seen < count; seen = handled_) handled_.wait(seen);
  }
  std::uint64_t polls() const { return polls_; }

 private:
  UniqueFd event_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  std::atomic<std::uint64_t> handled_ = 0;
  std::atomic<std::uint64_t> polls_ = 0;
};

/// Runs `function` on the loop and waits for it.
template <typename Function>
void RunOn(EventLoop& loop, Function function) {
  std::promise<void> done;
  asio::post(loop.io(), [&] {
    function();
    done.set_value();
  });
  done.get_future().wait();
}

class EventLoopTest : public testing::TestWithParam<Duration> {
 protected:
  EventLoop loop_{{.index = 0, .cpu = -1, .spin = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(SleepingAndSpinning, EventLoopTest,
                         testing::Values(Duration(0), Duration(std::chrono::microseconds(50))),
                         [](const auto& parameter) { return parameter.param.count() == 0 ? "Sleeping" : "Spinning"; });

TEST_P(EventLoopTest, RunsWhatIsPosted) {
  std::thread::id where;
  asio::post(loop_.io(), [&where] { where = std::this_thread::get_id(); });
  loop_.Start();
  std::thread::id later;
  RunOn(loop_, [&later] { later = std::this_thread::get_id(); });
  EXPECT_EQ(where, later);
  EXPECT_NE(where, std::this_thread::get_id());
  loop_.Stop();
  loop_.Stop();
}

TEST_P(EventLoopTest, StopEndsAnIdleLoop) {
  loop_.Start();
  RunOn(loop_, [] {});
  loop_.Stop();
}

TEST_P(EventLoopTest, StopThatComesAtOnceIsNotMissed) {
  for (int i = 0; i < 100; ++i) {
    EventLoop loop{{.index = 0, .cpu = -1, .spin = GetParam()}};
    loop.Start();
    loop.Stop();
  }
}

TEST_P(EventLoopTest, RingWakesASleepingLoop) {
  FakeRing ring;
  loop_.AddPoller(&ring);
  loop_.Start();
  for (std::uint64_t i = 1; i <= 200; ++i) {
    ring.Add();
    ring.WaitFor(i);
  }
  loop_.Stop();
  loop_.RemovePoller(&ring);
}

TEST_P(EventLoopTest, RingsComeAndGoWhileItRuns) {
  loop_.Start();
  FakeRing first, second;
  RunOn(loop_, [&] { loop_.AddPoller(&first); });
  RunOn(loop_, [&] { loop_.AddPoller(&second); });
  first.Add();
  second.Add();
  first.WaitFor(1);
  second.WaitFor(1);
  RunOn(loop_, [&] { loop_.RemovePoller(&first); });
  first.Add();
  second.Add();
  second.WaitFor(2);
  RunOn(loop_, [] {});
  EXPECT_EQ(first.handled(), 1u) << "nobody asks it any more";
  RunOn(loop_, [&] { loop_.RemovePoller(&second); });
  loop_.Stop();
}

/// Takes itself off the loop from within Poll().
class OneShot final : public LoopPoller {
 public:
  explicit OneShot(EventLoop& loop) : loop_(loop) {}
  bool Poll() override {
    loop_.RemovePoller(this);
    polled_ = true;
    polled_.notify_all();
    return true;
  }
  int wake_fd() const override { return event_.get(); }
  void WaitUntilPolled() { polled_.wait(false); }

 private:
  EventLoop& loop_;
  UniqueFd event_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  std::atomic<bool> polled_ = false;
};

TEST_P(EventLoopTest, RingMayLeaveFromWithinItsPoll) {
  OneShot once(loop_);
  FakeRing stays;
  loop_.AddPoller(&once);
  loop_.AddPoller(&stays);
  loop_.Start();
  once.WaitUntilPolled();
  stays.Add();
  stays.WaitFor(1);
  loop_.Stop();
}

/// Neither a busy ring nor a busy queue keeps the other waiting for ever.
class BusyRing final : public LoopPoller {
 public:
  bool Poll() override { return true; }
  int wake_fd() const override { return event_.get(); }

 private:
  UniqueFd event_{eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)};
};

TEST_P(EventLoopTest, BusyRingLeavesRoomForPosts) {
  BusyRing ring;
  loop_.AddPoller(&ring);
  loop_.Start();
  for (int i = 0; i < 100; ++i) RunOn(loop_, [] {});
  loop_.Stop();
}

struct Reposter {
  EventLoop& loop;
  std::atomic<bool>& stop;
  void operator()() const {
    if (!stop) asio::post(loop.io(), *this);
  }
};

TEST_P(EventLoopTest, BusyQueueLeavesRoomForRings) {
  FakeRing ring;
  loop_.AddPoller(&ring);
  std::atomic<bool> stop = false;
  asio::post(loop_.io(), Reposter{loop_, stop});
  loop_.Start();
  for (std::uint64_t i = 1; i <= 100; ++i) {
    ring.Add();
    ring.WaitFor(i);
  }
  stop = true;
  loop_.Stop();
}

std::int64_t ThreadCpuUs() {
  rusage usage{};
  CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

Task<std::int64_t> CpuOfASleep(Env& env, Duration duration) {
  const std::int64_t before = ThreadCpuUs();
  co_await env.clock.SleepFor(duration);
  co_return ThreadCpuUs() - before;
}

// A loop that does not sleep would take all of the time; one that does takes next to nothing, on any machine.
TEST_P(EventLoopTest, IdleLoopTakesNoCpu) {
  Loops loops(1, GetParam());
  FakeRing ring;
  RunOn(loops.all()[0], [&] { loops.all()[0].AddPoller(&ring); });
  EXPECT_LT(loops.Run(CpuOfASleep(loops.env(), std::chrono::milliseconds(300))), 100'000);
  const std::uint64_t polls = ring.polls();
  EXPECT_LT(polls, 100'000u);
  RunOn(loops.all()[0], [&] { loops.all()[0].RemovePoller(&ring); });
}

Task<void> Note(Env& env, std::set<unsigned>& seen) {
  seen.insert(env.loop_index);
  co_return;
}

TEST(EventLoopsTest, OneACpuUnlessTold) {
  EXPECT_EQ(EventLoops(0, false, Duration(0)).size(), UsableCpus().size());
  EventLoops loops(3, true, Duration(0));
  ASSERT_EQ(loops.size(), 3u);
  const std::vector<int> cpus = UsableCpus();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(loops[i].env().loop_index, i);
    EXPECT_EQ(loops[i].env().cpu, cpus[i % cpus.size()]);
  }
  loops.Start();
  std::set<unsigned> seen;
  loops.RunAndWait(Note(loops[0].env(), seen));
  EXPECT_EQ(seen, std::set<unsigned>{0});
}

}  // namespace
}  // namespace gabion
