#define FUSE_USE_VERSION 314

#include "fs-client/mount/kernel_mount.h"

#include <fuse_lowlevel.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "common/base/scope_exit.h"
#include "common/env/real/os_error.h"
#include "common/env/real/unique_fd.h"
#include "fs-client/mount/mount_table.h"

namespace gabion {
namespace {

constexpr const char* kDevice = "/dev/fuse";
constexpr const char* kUnmountProgram = "fusermount3";
constexpr const char* kType = "fuse.gabion";

/// What libfuse and fusermount3 say goes to standard error; while this lives it is kept instead, to become one line.
class StandardErrorCapture {
 public:
  StandardErrorCapture() : kept_(memfd_create("stderr", MFD_CLOEXEC)), original_(dup(STDERR_FILENO)) {
    if (kept_) dup2(kept_.get(), STDERR_FILENO);
  }
  ~StandardErrorCapture() {
    if (original_) dup2(original_.get(), STDERR_FILENO);
  }
  StandardErrorCapture(const StandardErrorCapture&) = delete;
  StandardErrorCapture& operator=(const StandardErrorCapture&) = delete;

  std::string Text() const {
    char text[1024];
    ssize_t size = pread(kept_.get(), text, sizeof text, 0);
    std::string line(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    while (!line.empty() && line.back() == '\n') line.pop_back();
    for (char& character : line) {
      if (character == '\n') character = ' ';
    }
    return line;
  }

 private:
  UniqueFd kept_;
  UniqueFd original_;
};

/// The words of -o for libfuse, each escaped: a source with several metaservers contains commas.
std::string JoinOptions(const KernelMount::Options& options) {
  std::vector<std::string> words = {"fsname=" + options.source, "subtype=gabion", "default_permissions"};
  if (options.allow_other) words.emplace_back("allow_other");
  // libfuse mounts nosuid,nodev unless told otherwise; fusermount3 insists on it for ordinary users.
  if (geteuid() == 0) words.insert(words.end(), {"suid", "dev"});
  words.insert(words.end(), options.kernel.begin(), options.kernel.end());
  std::string joined;
  for (const std::string& word : words) {
    if (!joined.empty()) joined += ",";
    for (char character : word) {
      if (character == ',' || character == '\\') joined += '\\';
      joined += character;
    }
  }
  return joined;
}

Result<int> RunUnmountProgram(const std::string& mountpoint, bool lazy) {
  std::vector<const char*> arguments = {kUnmountProgram, "-u", "-q"};
  if (lazy) arguments.push_back("-z");
  arguments.insert(arguments.end(), {"--", mountpoint.c_str(), nullptr});
  pid_t child = 0;
  int error = posix_spawnp(&child, kUnmountProgram, nullptr, nullptr, const_cast<char**>(arguments.data()), environ);
  if (error != 0) return OsError(std::string("running ") + kUnmountProgram, error);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return OsError(std::string("waiting for ") + kUnmountProgram, errno);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

bool ProgramExists(const char* name) {
  const char* path = getenv("PATH");
  std::string rest = path != nullptr ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    std::size_t colon = rest.find(':');
    std::string candidate = rest.substr(0, colon) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return true;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<KernelMount>> KernelMount::Create(const Options& options) {
  std::string words = JoinOptions(options);
  char program[] = "gabion-mount";
  char flag[] = "-o";
  char* arguments[] = {program, flag, words.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, arguments);
  ScopeExit free_args([&args] { fuse_opt_free_args(&args); });

  std::string said;
  fuse_session* session = nullptr;
  bool mounted = false;
  {
    StandardErrorCapture capture;
    fuse_lowlevel_ops none{};
    session = fuse_session_new(&args, &none, sizeof none, nullptr);
    mounted = session != nullptr && fuse_session_mount(session, options.mountpoint.c_str()) == 0;
    said = capture.Text();
  }
  if (!mounted) {
    if (session != nullptr) fuse_session_destroy(session);
    return {ErrorCode::kIo,
            "cannot mount on " + options.mountpoint + ": " + (said.empty() ? "libfuse does not say why" : said)};
  }
  std::unique_ptr<KernelMount> mount(new KernelMount(options.mountpoint, session));
  if (std::optional<MountEntry> entry = FindMountNow(options.mountpoint)) mount->device_number_ = entry->device;
  return mount;
}

KernelMount::~KernelMount() {
  // libfuse frees all it holds only when it unmounts. Once the connection has ended it does nothing else then; before,
  // it would take away whatever is at that path now.
  pollfd state{device(), 0, 0};
  if (poll(&state, 1, 0) == 1 && (state.revents & POLLERR) != 0) fuse_session_unmount(session_);
  fuse_session_destroy(session_);
}

int KernelMount::device() const {
  return fuse_session_fd(session_);
}

bool KernelMount::IsMounted() const {
  std::optional<MountEntry> entry = FindMountNow(mountpoint_);
  return entry && entry->device == device_number_;
}

Result<void> KernelMount::Unmount(bool lazy) {
  if (!IsMounted()) return {};
  if (geteuid() == 0) {
    if (umount2(mountpoint_.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) return {};
    if (errno == EINVAL) return {};  // somebody was faster
    return OsError("unmounting " + mountpoint_, errno, errno == EBUSY ? ErrorCode::kBusy : ErrorCode::kIo);
  }
  TRY_ASSIGN(int status, RunUnmountProgram(mountpoint_, lazy));
  if (status == 0 || !IsMounted()) return {};
  return {ErrorCode::kBusy, "unmounting " + mountpoint_ + ": it is in use"};
}

void KernelMount::Abort() {
  std::size_t colon = device_number_.find(':');
  if (colon == std::string::npos) return;
  std::ofstream("/sys/fs/fuse/connections/" + device_number_.substr(colon + 1) + "/abort") << "1";
  if (geteuid() == 0 && IsMounted()) umount2(mountpoint_.c_str(), MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW);
}

bool KernelMount::SetReadahead(unsigned kilobytes) {
  std::ofstream file("/sys/class/bdi/" + device_number_ + "/read_ahead_kb");
  file << kilobytes << std::flush;
  return file.good();
}

Result<std::string> CheckMountpoint(const std::string& path) {
  char resolved[PATH_MAX];
  struct stat stat {};
  bool there = realpath(path.c_str(), resolved) != nullptr && ::stat(resolved, &stat) == 0;
  if (!there) {
    switch (errno) {
      case ENOENT:
        return {ErrorCode::kNotFound, "the mount point " + path + " does not exist; make it with: mkdir -p " + path};
      case ENOTCONN:
      case ECONNABORTED:
        return {ErrorCode::kBusy, "a FUSE mount whose process has died is at " + path + "; remove it with: umount -l " +
                                      path + " (or fusermount3 -uz " + path + ")"};
      default:
        return OsError("looking at the mount point " + path, errno, ErrorCode::kPermissionDenied);
    }
  }
  if (!S_ISDIR(stat.st_mode)) return {ErrorCode::kNotDirectory, "the mount point " + path + " is not a directory"};
  if (std::optional<MountEntry> entry = FindMountNow(resolved); entry && entry->type == kType) {
    return {ErrorCode::kBusy,
            entry->source + " is already mounted on " + path + "; unmount it first with: umount " + path};
  }
  return std::string(resolved);
}

Result<void> CheckFuseAvailable() {
  if (access(kDevice, F_OK) != 0) {
    return {ErrorCode::kNotFound,
            "there is no /dev/fuse; load the kernel module with: modprobe fuse (a container needs "
            "--device /dev/fuse)"};
  }
  if (geteuid() != 0 && !ProgramExists(kUnmountProgram)) {
    return {ErrorCode::kNotFound, "fusermount3 is missing, which mounts for ordinary users; install the package fuse3"};
  }
  return {};
}

}  // namespace gabion
