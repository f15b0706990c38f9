#include "common/daemon/daemon.h"

#include <sys/resource.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <utility>

#include "common/base/log.h"
#include "common/daemon/termination.h"
#include "common/env/real/event_loop.h"
#include "common/rpc/identity.h"

namespace gabion {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
/// Service managers kill after 90 s, scripts/cluster after 60 s; a line in the log says more than either.
constexpr Duration kStopTimeout = std::chrono::seconds(45);

/// A connection is a descriptor, and so is a file of a store: the usual soft limit of 1024 is for programs that
/// select().
void RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) LogWarning("cannot raise the limit of open files");
}

/// A server from its options to its end.
class DaemonProcess {
 public:
  DaemonProcess(DaemonOptions options, std::unique_ptr<Daemon> daemon, char** argv)
      : options_(std::move(options)), argv_(argv), daemon_(std::move(daemon)) {}

  int Run() {
    if (Result<void> opened = Open(); !opened) {
      Report(opened.error());
      return opened.error().code() == ErrorCode::kInvalidArgument ? kExitUsage : kExitFailed;
    }
    if (Result<void> started = Start(); !started) {
      Report(started.error());
      // Half of it may run, and nobody was promised anything: there is nothing to take down in order.
      ::_exit(kExitFailed);
    }
    std::printf("%s listens on %s\n", daemon_->name().c_str(), daemon_->endpoint().ToString().c_str());
    std::fflush(stdout);
    termination_.Wait(std::nullopt);
    Stop();
    return 0;
  }

 private:
  Result<void> Open() {
    TRY(OpenLog(options_.log_file, options_.log_level));
    RaiseFileLimit();
    return daemon_->Open(options_);
  }

  Result<void> Start() {
    loops_ = std::make_unique<EventLoops>(static_cast<unsigned>(options_.loops), true, options_.spin());
    loops_->Start();
    Result<void> started;
    auto start = [](Daemon& daemon, std::vector<Env*> loops, Result<void>& result) -> Task<void> {
      result = co_await daemon.Start(std::move(loops));
    };
    loops_->RunAndWait(start(*daemon_, loops_->envs(), started));
    return started;
  }

  void Stop() {
    asio::co_spawn((*loops_)[0].env().executor, daemon_->Stop(), [this](std::exception_ptr exception) {
      if (exception) std::rethrow_exception(exception);
      termination_.Notify();
    });
    const Termination::Cause cause = termination_.Wait(kStopTimeout);
    if (cause != Termination::Cause::kNotified) {
      LogError("{} ends without stopping in order: {}; the next start carries on from what is on disk", daemon_->name(),
               cause == Termination::Cause::kSignal ? "a second signal came" : "it took too long");
      ::_exit(kExitFailed);
    }
    loops_->Stop();
    const std::string name = daemon_->name();
    const bool begins_again = daemon_->begins_again();
    daemon_.reset();
    LogInfo("{} has stopped", name);
    if (begins_again) BeginAgain(name);
  }

  /// Files, sockets and locks of this process go by themselves: they are closed on exec.
  void BeginAgain(const std::string& name) {
    LogInfo("{} begins again", name);
    ::execv("/proc/self/exe", argv_);
    LogError("{} cannot begin again, start it by hand: {}", name, std::strerror(errno));
    ::_exit(kExitFailed);
  }

  /// To the log, and to whoever started it and looks at no log yet.
  void Report(const Error& error) {
    if (!options_.log_file.empty()) LogError("{}", error.message());
    std::fprintf(stderr, "%s: %s\n", daemon_->name().c_str(), error.message().c_str());
    std::fflush(stderr);
  }

  const DaemonOptions options_;
  char** const argv_;
  Termination termination_;            // before all threads
  std::unique_ptr<EventLoops> loops_;  // outlives the daemon
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace

int RunDaemon(int argc, char** argv, std::unique_ptr<Daemon> daemon) {
  const std::string name = daemon->name();
  DaemonOptions options;
  options.listen = daemon->default_listen();
  OptionSet set(name, daemon->description());
  AddDaemonOptions(set, &options);
  daemon->AddOptions(set);
  Result<OptionSet::Action> action = set.Parse({argv + 1, argv + argc});
  Result<void> usable;
  if (!action) {
    usable = action.error();
  } else if (*action == OptionSet::Action::kHelp) {
    std::fputs(set.Help().c_str(), stdout);
    return 0;
  } else if (*action == OptionSet::Action::kVersion) {
    std::puts(SoftwareVersion().c_str());
    return 0;
  } else {
    usable = CheckListenAddress(options);
  }
  if (!usable) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), usable.error().message().c_str());
    return kExitUsage;
  }
  return DaemonProcess(std::move(options), std::move(daemon), argv).Run();
}

}  // namespace gabion
