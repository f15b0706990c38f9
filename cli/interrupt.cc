#include "cli/interrupt.h"

#include <csignal>
#include <ctime>

namespace gabion {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void NoteInterruption(int) {
  g_interrupted = 1;
}

void CatchSignals() {
  static bool caught = false;
  if (caught) return;
  caught = true;
  struct sigaction action = {};
  action.sa_handler = NoteInterruption;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

bool SleepUnlessInterrupted(Duration duration) {
  CatchSignals();
  const std::int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  const timespec time{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  nanosleep(&time, nullptr);  // lint: allow(banned_calls) because a signal has to cut it short
  return g_interrupted == 0;
}

}  // namespace gabion
