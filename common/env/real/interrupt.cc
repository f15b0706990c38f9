#include "common/env/real/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "common/base/check.h"

namespace gabion {

namespace {

std::atomic<int> pressed_fd{-1};

void NotePressed(int) {
  const int saved = errno;
  ::eventfd_write(pressed_fd.load(), 1);
  errno = saved;
}

void Handle(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  CHECK(::sigaction(SIGINT, &action, nullptr) == 0);
}

}  // namespace

Interrupt::Interrupt() : pressed_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(pressed_);
  CHECK(pressed_fd.exchange(pressed_.get()) == -1);
  Handle(&NotePressed);
}

Interrupt::~Interrupt() {
  Handle(SIG_DFL);
  pressed_fd = -1;
}

bool Interrupt::Wait(Duration timeout) {
  pollfd pressed = {pressed_.get(), POLLIN, 0};
  const auto timeout_ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  int count = 0;
  do {
    count = ::poll(&pressed, 1, static_cast<int>(timeout_ms));
  } while (count < 0 && errno == EINTR);
  eventfd_t times = 0;
  return count > 0 && ::eventfd_read(pressed_.get(), &times) == 0;
}

}  // namespace gabion
