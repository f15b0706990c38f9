#include "common/daemon/daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "common/coro/async_event.h"
#include "common/daemon/termination.h"
#include "tests/unit/common/daemon/temp_dir.h"

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Writes down what is done to it, and sends this process a signal as soon as it has started.
class FakeDaemon final : public Daemon {
 public:
  struct Plan {
    int signal = SIGTERM;
    bool open_fails = false;
    bool start_fails = false;
    bool stop_hangs = false;
  };

  FakeDaemon(Plan plan, std::vector<std::string>& calls) : plan_(plan), calls_(calls) {}
  ~FakeDaemon() override { calls_.push_back("gone"); }

  std::string name() const override { return "gabion-fake"; }
  std::string description() const override { return "gabion-fake: pretends"; }
  Endpoint default_listen() const override { return {"127.0.0.1", 1}; }
  void AddOptions(OptionSet& set) override { set.AddText("word", "WORD", "A word", &word_); }

  Result<void> Open(const DaemonOptions& options) override {
    calls_.push_back("open " + word_ + " " + options.listen.ToString());
    if (plan_.open_fails) return {ErrorCode::kBusy, "the data is in use"};
    return {};
  }
  Task<Result<void>> Start(std::vector<Env*> loops) override {
    calls_.push_back("start " + std::to_string(loops.size()));
    if (plan_.start_fails) co_return Error(ErrorCode::kBusy, "the port is taken");
    ::kill(::getpid(), plan_.signal);
    co_return Result<void>();
  }
  Endpoint endpoint() const override { return {"127.0.0.1", 2}; }
  Task<void> Stop() override {
    calls_.push_back("stop");
    if (plan_.stop_hangs) {
      ::kill(::getpid(), plan_.signal);
      co_await never_.Wait();
    }
  }

 private:
  const Plan plan_;
  std::vector<std::string>& calls_;
  std::string word_;
  AsyncEvent never_;
};

class RunDaemonTest : public testing::Test {
 protected:
  int Run(FakeDaemon::Plan plan, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "gabion-fake");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    return RunDaemon(static_cast<int>(argv.size()), argv.data(), std::make_unique<FakeDaemon>(plan, calls_));
  }

  std::vector<std::string> calls_;
};

TEST_F(RunDaemonTest, StartsServesAndStopsInOrder) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(Run({}, {"--word", "w", "--loops", "2", "--log-level", "error"}), 0);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "gabion-fake listens on 127.0.0.1:2\n");
  EXPECT_THAT(calls_, ElementsAre("open w 127.0.0.1:1", "start 2", "stop", "gone"));
}

TEST_F(RunDaemonTest, AnyOfTheEndingSignalsEndsIt) {
  for (int signal : {SIGINT, SIGHUP}) {
    FakeDaemon::Plan plan;
    plan.signal = signal;
    EXPECT_EQ(Run(plan, {"--loops", "1", "--log-level", "error"}), 0);
  }
}

TEST_F(RunDaemonTest, BadOptionsStartNothing) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(Run({}, {"--wrod", "w"}), 2);
  EXPECT_EQ(Run({}, {"--listen", "0.0.0.0:1"}), 2);
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, testing::AllOf(HasSubstr("gabion-fake: "), HasSubstr("--wrod"), HasSubstr("will not listen")));
  EXPECT_THAT(calls_, ElementsAre("gone", "gone"));
}

TEST_F(RunDaemonTest, DataThatDoesNotOpenIsSaidOnBothPlaces) {
  TempDir directory;
  const std::string log = directory.path() + "/log";
  FakeDaemon::Plan plan;
  plan.open_fails = true;
  testing::internal::CaptureStderr();
  EXPECT_EQ(Run(plan, {"--log-file", log}), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "gabion-fake: the data is in use\n");
  std::ifstream file(log);
  std::string line;
  EXPECT_TRUE(std::getline(file, line));
  EXPECT_THAT(line, HasSubstr("error the data is in use"));
  ASSERT_TRUE(OpenLog("", LogLevel::kInfo));
}

TEST_F(RunDaemonTest, HelpAndVersionStartNothing) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(Run({}, {"--help"}), 0);
  EXPECT_EQ(Run({}, {"--version"}), 0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), testing::AllOf(HasSubstr("--word WORD"), HasSubstr("gabion 0")));
  EXPECT_THAT(calls_, ElementsAre("gone", "gone"));
}

// In processes of their own, for these end without unwinding.
TEST_F(RunDaemonTest, FailedStartEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  FakeDaemon::Plan plan;
  plan.start_fails = true;
  EXPECT_EXIT(Run(plan, {}), testing::ExitedWithCode(1), "gabion-fake: the port is taken");
}

TEST_F(RunDaemonTest, SecondSignalEndsItAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  FakeDaemon::Plan plan;
  plan.stop_hangs = true;
  EXPECT_EXIT(Run(plan, {}), testing::ExitedWithCode(1), "a second signal came");
}

TEST(TerminationTest, TellsSignalNotificationAndTimeoutApart) {
  Termination termination;
  EXPECT_EQ(termination.Wait(Duration(0)), Termination::Cause::kTimeout);
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(termination.Wait(std::nullopt), Termination::Cause::kSignal);
  EXPECT_EQ(termination.Wait(Duration(0)), Termination::Cause::kTimeout);
  termination.Notify();
  ::kill(::getpid(), SIGINT);
  EXPECT_EQ(termination.Wait(std::nullopt), Termination::Cause::kNotified);
  EXPECT_EQ(termination.Wait(Duration(0)), Termination::Cause::kNotified);
  // The signal is still there for whoever asks next, so that none is lost between two of them.
  EXPECT_EQ(Termination().Wait(Duration(0)), Termination::Cause::kSignal);
}

}  // namespace
}  // namespace gabion
