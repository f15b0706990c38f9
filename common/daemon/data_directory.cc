#include "common/daemon/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/env/real/os_error.h"

namespace gabion {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::size_t kMaxLineBytes = 4096;

Result<void> WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return OsError("writing " + path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// Who holds the lock, as far as its file tells: " (process 123)".
std::string HolderOf(int lock) {
  std::array<char, 16> text{};
  const ssize_t length = ::pread(lock, text.data(), text.size() - 1, 0);
  std::string pid;
  for (ssize_t i = 0; i < length && text[static_cast<std::size_t>(i)] >= '0'; ++i)
    pid += text[static_cast<std::size_t>(i)];
  return pid.empty() ? "" : " (process " + pid + ")";
}

Result<UniqueFd> Lock(int directory, const std::string& path) {
  UniqueFd lock(::openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!lock) return OsError("opening " + path + "/lock", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return OsError("locking " + path + "/lock", errno);
    return {ErrorCode::kBusy, fmt::format("another server{} uses {}; stop it, or give this one a directory of its own",
                                          HolderOf(lock.get()), path)};
  }
  if (::ftruncate(lock.get(), 0) != 0) return OsError("writing " + path + "/lock", errno);
  TRY(WriteAll(lock.get(), std::to_string(::getpid()) + "\n", path + "/lock"));
  return lock;
}

}  // namespace

Result<DataDirectory> DataDirectory::Open(const std::string& path) {
  std::error_code error;
  std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return OsError("making " + parent.string(), error.value());
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) return OsError("making " + path, errno);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return OsError("opening " + path, errno);
  TRY_ASSIGN(UniqueFd lock, Lock(directory.get(), path));
  return DataDirectory(path, std::move(directory), std::move(lock));
}

Result<std::string> DataDirectory::Subdirectory(const std::string& name) const {
  std::string path = path_ + "/" + name;
  if (::mkdirat(directory_.get(), name.c_str(), kDirectoryMode) != 0) {
    if (errno != EEXIST) return OsError("making " + path, errno);
  } else if (::fsync(directory_.get()) != 0) {
    return OsError("syncing " + path_, errno);
  }
  return path;
}

Result<std::optional<std::string>> DataDirectory::ReadLine(const std::string& name) const {
  const std::string path = path_ + "/" + name;
  UniqueFd file(::openat(directory_.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return std::optional<std::string>();
    return OsError("opening " + path, errno);
  }
  std::string text(kMaxLineBytes + 1, '\0');
  const ssize_t length = ::pread(file.get(), text.data(), text.size(), 0);
  if (length < 0) return OsError("reading " + path, errno);
  text.resize(static_cast<std::size_t>(length));
  if (text.size() > kMaxLineBytes || !text.ends_with('\n')) {
    return Error(ErrorCode::kIo, path + " is not what this program wrote; put it back from a copy");
  }
  text.pop_back();
  return std::optional<std::string>(std::move(text));
}

Result<void> DataDirectory::WriteLine(const std::string& name, std::string_view text) const {
  const std::string path = path_ + "/" + name;
  const std::string fresh = name + ".new";
  UniqueFd file(::openat(directory_.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode));
  if (!file) return OsError("making " + path + ".new", errno);
  TRY(WriteAll(file.get(), std::string(text) + "\n", path + ".new"));
  if (::fsync(file.get()) != 0) return OsError("syncing " + path + ".new", errno);
  if (::renameat(directory_.get(), fresh.c_str(), directory_.get(), name.c_str()) != 0) {
    return OsError("renaming " + path + ".new", errno);
  }
  if (::fsync(directory_.get()) != 0) return OsError("syncing " + path_, errno);
  return {};
}

Result<void> DataDirectory::Remove(const std::string& name) const {
  const std::string path = path_ + "/" + name;
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return OsError("removing " + path, error.value());
  if (::fsync(directory_.get()) != 0) return OsError("syncing " + path_, errno);
  return {};
}

}  // namespace gabion
