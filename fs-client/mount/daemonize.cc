#include "fs-client/mount/daemonize.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gabion {
namespace {

constexpr char kReady = '+';
constexpr char kFailed = '-';
constexpr const char* kPrefix = "gabion-mount: ";

/// All that the child says until it closes its end.
std::string ReadReport(int fd) {
  std::string report;
  char text[1024];
  for (;;) {
    ssize_t size = read(fd, text, sizeof text);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return report;
    report.append(text, static_cast<std::size_t>(size));
    if (report[0] == kReady) return report;
  }
}

void WriteAll(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    ssize_t size = write(fd, text.data() + done, text.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;  // the parent is gone: nobody to tell
    done += static_cast<std::size_t>(size);
  }
}

[[noreturn]] void WaitForReport(int fd, pid_t child, int failure_status) {
  std::string report = ReadReport(fd);
  if (!report.empty() && report[0] == kReady) _exit(0);
  if (!report.empty()) {
    fprintf(stderr, "%s%s\n", kPrefix, report.c_str() + 1);
    _exit(failure_status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    fprintf(stderr, "%sended by signal %d (%s) before the mount was live\n", kPrefix, WTERMSIG(status),
            strsignal(WTERMSIG(status)));
  } else {
    fprintf(stderr, "%sended before the mount was live; its log says why\n", kPrefix);
  }
  _exit(failure_status);
}

}  // namespace

StartReport StartReport::Fork(int failure_status) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    fprintf(stderr, "%scannot make a pipe: %s\n", kPrefix, strerror(errno));
    exit(failure_status);
  }
  fflush(nullptr);
  pid_t child = fork();
  if (child < 0) {
    fprintf(stderr, "%scannot start a process: %s\n", kPrefix, strerror(errno));
    exit(failure_status);
  }
  if (child > 0) {
    close(ends[1]);
    WaitForReport(ends[0], child, failure_status);
  }
  close(ends[0]);
  return StartReport(UniqueFd(ends[1]));
}

void StartReport::Ready() {
  if (!parent_) return;
  // Only now: until the mount is live, Ctrl-C is to reach us together with the parent.
  setsid();
  if (chdir("/") != 0) fprintf(stderr, "%scannot leave the working directory\n", kPrefix);
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.get(), stream);
  WriteAll(parent_.get(), std::string(1, kReady));
  parent_ = UniqueFd();
}

void StartReport::Failed(const std::string& line) {
  if (parent_) {
    WriteAll(parent_.get(), kFailed + line);
    parent_ = UniqueFd();
  } else {
    fprintf(stderr, "%s%s\n", kPrefix, line.c_str());
  }
}

}  // namespace gabion
