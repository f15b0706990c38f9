#include "fs-client/mount/mount_process.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "common/base/log.h"
#include "common/env/real/event_loop.h"
#include "common/env/real/os_error.h"
#include "common/env/real/unique_fd.h"
#include "fs-client/fuse/fuse_server.h"
#include "fs-client/fuse/handshake.h"
#include "fs-client/mount/daemonize.h"
#include "fs-client/mount/kernel_mount.h"

namespace gabion {
namespace {

constexpr const char* kVersion = "gabion-mount 0.1.0";
constexpr const char* kUringParameter = "/sys/module/fuse/parameters/enable_uring";
constexpr Duration kHandshakeTimeout = std::chrono::seconds(10);
/// How long a mount that was told to end waits for those who still use it.
constexpr Duration kBusyGrace = std::chrono::seconds(10);
/// How long requests may still run once the core has been told to end them.
constexpr Duration kDrainTimeout = std::chrono::seconds(10);

/// Signals and the connection's end, to be waited for by the main thread. Blocks the signals, so it comes before all
/// threads.
class EndEvents {
 public:
  enum class Event { kSignal, kConnectionEnded, kTimeout };

  EndEvents() {
    sigset_t signals;
    sigemptyset(&signals);
    for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signals_ = UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
    ended_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  }

  /// Any thread.
  void ConnectionEnded() { eventfd_write(ended_.get(), 1); }

  /// `timeout`: none waits for ever.
  Event Wait(std::optional<Duration> timeout) {
    pollfd fds[] = {{ended_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    int timeout_ms = -1;
    if (timeout) {
      timeout_ms = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(*timeout).count());
    }
    int count = 0;
    do {
      count = poll(fds, 2, timeout_ms);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return Event::kTimeout;
    if (fds[0].revents != 0) return Event::kConnectionEnded;
    signalfd_siginfo info{};
    if (read(signals_.get(), &info, sizeof info) == sizeof info) {
      LogInfo("signal {} from process {}: unmounting", info.ssi_signo, info.ssi_pid);
    }
    return Event::kSignal;
  }

 private:
  UniqueFd signals_;
  UniqueFd ended_;
};

bool KernelHasUringOn() {
  std::ifstream file(kUringParameter);
  char value = 'N';
  file >> value;
  return value == 'Y' || value == '1';
}

/// Whether to offer rings to the kernel. Errors: kNotSupported, if rings are demanded and cannot be had.
Result<bool> ChooseUring(TransportChoice choice) {
  if (choice == TransportChoice::kDevice) return false;
  Result<void> problem;
  if (!KernelHasUringOn()) {
    problem = Error(ErrorCode::kNotSupported,
                    std::string("FUSE over io_uring is not turned on; root turns it on with: echo Y > ") +
                        kUringParameter + " (Linux 6.14 or newer), or mount with transport=dev");
  } else {
    problem = fuse::ProbeUring();
  }
  if (problem) return true;
  if (choice == TransportChoice::kUring) return problem.error();
  return false;
}

/// Without -o log_file=: where a daemon of this user's keeps its logs. Empty if there is no such place.
std::string DefaultLogFile(const std::string& mountpoint) {
  std::string name = mountpoint.substr(1);
  for (char& character : name) {
    if (character == '/') character = '-';
  }
  std::string directory = "/var/log/gabion";
  if (geteuid() != 0) {
    const char* home = getenv("HOME");
    if (home == nullptr || home[0] != '/') return "";
    directory = home;
    for (const char* part : {"/.local", "/state", "/gabion"}) {
      directory += part;
      mkdir(directory.c_str(), 0700);
    }
  }
  mkdir(directory.c_str(), 0755);
  return directory + "/mount-" + (name.empty() ? "root" : name) + ".log";
}

/// A mount from its first check to its end.
class MountProcess {
 public:
  MountProcess(MountCommand command, const MakeMountCore& make_core, StartReport& report)
      : command_(std::move(command)), make_core_(make_core), report_(report) {}

  int Run() {
    Result<void> started = Start();
    if (!started) {
      LogError("{}", started.error().message());
      report_.Failed(started.error().message());
      Abandon();
      return kExitMountFailed;
    }
    report_.Ready();
    ServeUntilEnd();
    return Finish();
  }

 private:
  Result<void> Start();
  Result<void> StartCore();
  Result<void> StartServing();
  void ServeUntilEnd();
  int Finish();
  void Abandon();
  void StopCore();

  MountCommand command_;
  const MakeMountCore& make_core_;
  StartReport& report_;
  EndEvents events_;
  std::unique_ptr<EventLoops> loops_;
  std::unique_ptr<MountCore> core_;
  bool core_started_ = false;
  std::unique_ptr<KernelMount> mount_;
  std::unique_ptr<fuse::FuseServer> server_;
};

Result<void> MountProcess::Start() {
  std::string log_file = command_.options.log_file;
  if (log_file.empty() && !command_.foreground) log_file = DefaultLogFile(command_.mountpoint);
  TRY(OpenLog(log_file, command_.options.log_level));
  TRY(StartCore());
  return StartServing();
}

Result<void> MountProcess::StartCore() {
  loops_ = std::make_unique<EventLoops>(command_.options.loops, true, command_.options.spin);
  loops_->Start();
  core_ = make_core_(loops_->envs(), command_);
  Result<void> started;
  auto start = [](MountCore& core, Result<void>& result) -> Task<void> { result = co_await core.Start(); };
  loops_->RunAndWait(start(*core_, started));
  core_started_ = started.has_value();
  return started;
}

Result<void> MountProcess::StartServing() {
  TRY_ASSIGN(bool offer_uring, ChooseUring(command_.options.transport));
  KernelMount::Options options;
  options.source = command_.source.ToString();
  options.mountpoint = command_.mountpoint;
  options.allow_other = command_.options.allow_other.value_or(geteuid() == 0);
  options.kernel = command_.options.kernel;
  TRY_ASSIGN(mount_, KernelMount::Create(options));

  fuse::InitOptions init;
  init.offer_uring = offer_uring;
  init.cluster_locks = command_.options.cluster_locks;
  TRY_ASSIGN(fuse::Negotiated negotiated, fuse::Handshake(mount_->device(), init, kHandshakeTimeout));
  if (command_.options.transport == TransportChoice::kUring && !negotiated.uring) {
    return {ErrorCode::kNotSupported, "this kernel does not offer FUSE over io_uring; mount with transport=dev"};
  }
  TRY_ASSIGN(server_, fuse::FuseServer::Create(*loops_, core_->vfs(), mount_->device(), negotiated,
                                               [this](int) { events_.ConnectionEnded(); }));
  core_->SetInvalidator(&server_->notifier());
  TRY(server_->Start());
  if (!mount_->SetReadahead(command_.options.readahead_kb)) {
    LogInfo("only root can make the kernel read ahead more than 128 KiB on this mount");
  }
  LogInfo("mounted {} on {} over {} with {} loops", options.source, options.mountpoint,
          negotiated.uring ? "io_uring" : "/dev/fuse", loops_->size());
  return {};
}

void MountProcess::ServeUntilEnd() {
  if (events_.Wait(std::nullopt) == EndEvents::Event::kConnectionEnded) return;
  Result<void> unmounted = mount_->Unmount(false);
  if (!unmounted) {
    LogWarning("{}; it is taken out of the tree, and its users have {} s to finish", unmounted.error().message(),
               std::chrono::duration_cast<std::chrono::seconds>(kBusyGrace).count());
    Result<void> detached = mount_->Unmount(true);
    if (!detached) LogError("{}", detached.error().message());
  }
  EndEvents::Event event = events_.Wait(kBusyGrace);
  if (event != EndEvents::Event::kConnectionEnded) LogWarning("ending although the mount is still in use");
}

void MountProcess::StopCore() {
  if (!std::exchange(core_started_, false)) return;
  loops_->RunAndWait(core_->Stop());
}

int MountProcess::Finish() {
  // First nothing new, then the core's end, which flushes and makes what runs end.
  server_->Close();
  StopCore();
  if (!server_->Drain(kDrainTimeout)) {
    LogError("requests still run; giving them up");
    mount_->Abort();
    _exit(kExitMountFailed);
  }
  server_.reset();
  mount_.reset();
  loops_->Stop();
  core_.reset();
  LogInfo("unmounted {}", command_.mountpoint);
  return 0;
}

/// What of Start() was done is undone.
void MountProcess::Abandon() {
  if (mount_ != nullptr) {
    if (Result<void> unmounted = mount_->Unmount(true); !unmounted) LogError("{}", unmounted.error().message());
  }
  if (server_ != nullptr) server_->Close();
  StopCore();
  if (server_ != nullptr && !server_->Drain(kDrainTimeout)) _exit(kExitMountFailed);
  server_.reset();
  mount_.reset();
  if (loops_ != nullptr) loops_->Stop();
  core_.reset();
}

/// Checks that need no thread, so that the parent can report them at once.
Result<void> CheckBeforeFork(MountCommand& command) {
  TRY(CheckFuseAvailable());
  TRY_ASSIGN(command.mountpoint, CheckMountpoint(command.mountpoint));
  TRY_ASSIGN([[maybe_unused]] bool uring, ChooseUring(command.options.transport));
  return {};
}

}  // namespace

int RunMountProgram(int argc, char** argv, const MakeMountCore& make_core) {
  Result<MountCommand> command = MountCommand::Parse(argv[0], {argv + 1, argv + argc});
  if (!command) {
    fprintf(stderr, "gabion-mount: %s\n", command.error().message().c_str());
    return kExitUsage;
  }
  if (command->action == MountCommand::Action::kHelp) {
    fputs(MountUsage().c_str(), stdout);
    return 0;
  }
  if (command->action == MountCommand::Action::kVersion) {
    puts(kVersion);
    return 0;
  }
  if (Result<void> checked = CheckBeforeFork(*command); !checked) {
    fprintf(stderr, "gabion-mount: %s\n", checked.error().message().c_str());
    return kExitMountFailed;
  }
  if (command->fake) return 0;
  StartReport report = command->foreground ? StartReport::Foreground() : StartReport::Fork(kExitMountFailed);
  return MountProcess(std::move(*command), make_core, report).Run();
}

}  // namespace gabion
