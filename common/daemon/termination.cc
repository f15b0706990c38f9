#include "common/daemon/termination.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/base/check.h"
#include "common/base/log.h"

namespace gabion {

Termination::Termination() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  notified_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  CHECK(signals_ && notified_);
}

void Termination::Notify() {
  ::eventfd_write(notified_.get(), 1);
}

Termination::Cause Termination::Wait(std::optional<Duration> timeout) {
  pollfd fds[] = {{notified_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
  int timeout_ms = -1;
  if (timeout) {
    timeout_ms = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(*timeout).count());
  }
  int count = 0;
  do {
    count = ::poll(fds, 2, timeout_ms);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return Cause::kTimeout;
  if (fds[0].revents != 0) return Cause::kNotified;
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    LogInfo("signal {} from process {}: ending", info.ssi_signo, info.ssi_pid);
  }
  return Cause::kSignal;
}

}  // namespace gabion
