#include "common/env/sim/sim_world.h"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <stdexcept>

#include "common/base/byte_units.h"
#include "common/coro/async_event.h"

namespace gabion {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

Task<int> SleepAndReturn(Clock& clock, Duration duration, int value) {
  co_await clock.SleepFor(duration);
  co_return value;
}

TEST(SimWorldTest, TimePassesOnlyAsFarAsSomebodyWaits) {
  SimWorld world(1);
  SimMachine& machine = world.AddMachine("a");
  EXPECT_EQ(world.RunUntilDone(SleepAndReturn(machine.env().clock, hours(3), 7), hours(4)), 7);
  EXPECT_EQ(world.elapsed(), hours(3));
}

TEST(SimWorldTest, RunForStopsAtItsTime) {
  SimWorld world(1);
  world.RunFor(seconds(5));
  EXPECT_EQ(world.elapsed(), seconds(5));
}

Task<void> Throw(Clock& clock) {
  co_await clock.SleepFor(seconds(1));
  throw std::runtime_error("as expected");
}

TEST(SimWorldTest, ExceptionReachesTheTest) {
  SimWorld world(1);
  EXPECT_THROW(world.RunUntilDone(Throw(world.AddMachine("a").env().clock)), std::runtime_error);
}

Task<void> WaitFor(AsyncEvent& event) {
  co_await event.Wait();
}

TEST(SimWorldDeathTest, SaysThatNothingCanHappen) {
  SimWorld world(42);
  AsyncEvent event;
  EXPECT_DEATH(world.RunUntilDone(WaitFor(event)), "seed 42.*never happen");
}

TEST(SimWorldDeathTest, SaysThatTheLimitPassed) {
  SimWorld world(42);
  Clock& clock = world.AddMachine("a").env().clock;
  EXPECT_DEATH(world.RunUntilDone(SleepAndReturn(clock, seconds(11), 1), seconds(10)), "seed 42.*not done after 10 s");
}

Task<void> RaceSleeps(Clock& clock, Duration& took) {
  using asio::experimental::awaitable_operators::operator||;
  const TimePoint start = clock.Now();
  // Both sides named first: GCC 12 mishandles temporaries here.
  Task<void> quick = clock.SleepFor(milliseconds(10));
  Task<void> slow = clock.SleepFor(hours(1));
  Task<std::variant<std::monostate, std::monostate>> both = std::move(quick) || std::move(slow);
  co_await std::move(both);
  took = clock.Now() - start;
}

TEST(SimClockTest, SleepHonoursCancellation) {
  SimWorld world(1);
  Duration took{};
  world.RunUntilDone(RaceSleeps(world.AddMachine("a").env().clock, took));
  EXPECT_EQ(took, milliseconds(10));
}

TEST(SimClockTest, DriftingClocksDisagree) {
  SimWorld world(1);
  SimMachine& fast = world.AddMachine("fast");
  SimMachine& slow = world.AddMachine("slow");
  fast.clock().SetDrift(1000);
  slow.clock().SetDrift(-1000);
  const TimePoint fast_start = fast.clock().Now();
  const TimePoint slow_start = slow.clock().Now();
  world.RunFor(seconds(1000));
  EXPECT_EQ(fast.clock().Now() - fast_start, seconds(1001));
  EXPECT_EQ(slow.clock().Now() - slow_start, seconds(999));
  world.RunUntilDone(SleepAndReturn(fast.clock(), seconds(1001), 0), hours(1));
  EXPECT_NEAR(static_cast<double>(world.elapsed().count()), 2000e9, 10.0);
}

TEST(SimClockTest, MonotonicClockBeginsAnewWithTheMachine) {
  SimWorld world(1);
  SimMachine& machine = world.AddMachine("a");
  world.RunFor(seconds(3));
  const TimePoint before = machine.clock().Now();
  const std::string boot = machine.disk("d").boot_id();
  machine.KillProcess();
  EXPECT_EQ(machine.clock().Now(), before);
  EXPECT_EQ(machine.disk("d").boot_id(), boot);
  machine.LosePower();
  EXPECT_EQ(machine.clock().Now(), TimePoint{});
  EXPECT_NE(machine.disk("d").boot_id(), boot);
}

Task<void> Count(Clock& clock, int& count) {
  while (true) {
    co_await clock.SleepFor(seconds(1));
    ++count;
  }
}

TEST(SimMachineTest, PausedMachineRunsNothing) {
  SimWorld world(1);
  SimMachine& machine = world.AddMachine("a");
  int count = 0;
  asio::co_spawn(machine.env().executor, Count(machine.env().clock, count), [](std::exception_ptr) {});
  world.RunFor(seconds(5));
  EXPECT_EQ(count, 5);
  machine.Pause();
  world.RunFor(seconds(5));
  EXPECT_EQ(count, 5);
  machine.Resume();
  world.RunFor(seconds(5));
  EXPECT_EQ(count, 11) << "the tick that was late, then five";
}

TEST(SimRandomTest, SeedDecidesTheStream) {
  SimRandom a(7), b(7), c(8);
  std::uint64_t equal = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = a.Next();
    ASSERT_EQ(value, b.Next());
    equal += value == c.Next();
  }
  EXPECT_EQ(equal, 0u);
}

TEST(SimRandomTest, ExponentialHasItsMean) {
  SimRandom random(1);
  std::uint64_t sum = 0;
  std::uint64_t longest = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = random.Exponential(1000);
    sum += value;
    longest = std::max(longest, value);
  }
  EXPECT_NEAR(static_cast<double>(sum) / 100'000, 1000, 50);
  EXPECT_LE(longest, 17'000u);
  EXPECT_GT(longest, 6'000u);
}

// A little of everything that draws from the seed: frames to and fro, a disk, a store, a crash.
Task<void> EchoFrames(Env& env) {
  Endpoint endpoint{"server", 9000};
  Result<std::unique_ptr<Listener>> listener = env.transport.Listen(endpoint);
  while (true) {
    Result<std::unique_ptr<Connection>> connection = co_await (*listener)->Accept();
    if (!connection) co_return;
    while (true) {
      Result<Frame> frame = co_await (*connection)->Receive();
      if (!frame) break;
      std::vector<Frame> answer;
      answer.push_back(std::move(*frame));
      Result<void> sent = co_await (*connection)->Send(std::move(answer));
      if (!sent) break;
    }
  }
}

Task<void> WriteSome(SimMachine& machine) {
  SimDisk& disk = machine.disk("d");
  Result<std::unique_ptr<DiskFile>> file = co_await disk.Open("slab", kMiB);
  CHECK(file.has_value());
  for (std::uint64_t i = 0; i < 20; ++i) {
    Payload payload(Slice::CopyOf(std::string(5000, static_cast<char>('a' + i))));
    Result<void> written = co_await (*file)->WriteAt(i * 3000, payload);
    CHECK(written.has_value());
    WriteBatch batch;
    batch.Put("key" + std::to_string(i), "value");
    CHECK(machine.kv("k").Apply(batch).has_value());
  }
}

Task<void> CallServer(Env& env, int calls) {
  Endpoint endpoint{"server", 9000};
  const TimePoint deadline = env.clock.Now() + seconds(10);
  Result<std::unique_ptr<Connection>> connection = co_await env.transport.Connect(endpoint, deadline);
  CHECK(connection.has_value());
  for (int i = 0; i < calls; ++i) {
    std::vector<Frame> frames(1);
    frames[0].header = std::to_string(env.random.Next());
    const std::string sent = frames[0].header;
    Result<void> result = co_await (*connection)->Send(std::move(frames));
    CHECK(result.has_value());
    Result<Frame> answer = co_await (*connection)->Receive();
    CHECK(answer.has_value() && answer->header == sent);
  }
}

std::pair<std::uint64_t, std::string> RunOnce(std::uint64_t seed) {
  SimWorld world(seed);
  SimMachine& server = world.AddMachine("server");
  SimMachine& client = world.AddMachine("client");
  asio::co_spawn(server.env().executor, EchoFrames(server.env()), [](std::exception_ptr) {});
  world.RunUntilDone(CallServer(client.env(), 20));
  world.RunUntilDone(WriteSome(server));
  server.LosePower();
  return {world.trace_hash(),
          server.disk("d").platter().Contents("slab", 0, 65536) + std::to_string(server.kv("k").contents().size())};
}

TEST(SimWorldTest, SameSeedGivesTheSameRun) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) EXPECT_EQ(RunOnce(seed), RunOnce(seed)) << "seed " << seed;
}

TEST(SimWorldTest, OtherSeedGivesAnotherRun) {
  EXPECT_NE(RunOnce(1).first, RunOnce(2).first);
}

TEST(SimWorldTest, WorldMayEndWhileCodeWaits) {
  SimWorld world(1);
  SimMachine& server = world.AddMachine("server");
  SimMachine& client = world.AddMachine("client");
  asio::co_spawn(server.env().executor, EchoFrames(server.env()), [](std::exception_ptr) {});
  asio::co_spawn(client.env().executor, CallServer(client.env(), 1'000'000), [](std::exception_ptr) {});
  world.RunFor(milliseconds(50));
}

}  // namespace
}  // namespace gabion
