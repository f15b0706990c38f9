#include "common/env/real/real_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/env/real/host.h"
#include "common/env/real/os_error.h"
#include "common/env/real/real_disk_file.h"
#include "common/env/real/unique_fd.h"

namespace gabion {
namespace {

/// Runs on a pool thread.
Result<std::unique_ptr<DiskFile>> OpenFile(int directory, const std::string& path, const std::string& name,
                                           std::uint64_t size_bytes, BlockingPool& pool) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    return {ErrorCode::kInvalidArgument, "'" + name + "' is no name of a file"};
  }
  UniqueFd fd(::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return OsError("opening " + path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return OsError("looking at " + path, errno);
  if (!S_ISREG(status.st_mode)) return {ErrorCode::kIo, path + " is not a regular file"};
  auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < size_bytes) {
    // Only ever longer: a file that was made with another size keeps its data.
    if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) return OsError("sizing " + path, errno);
    size = size_bytes;
  }
  if (::fsync(fd.get()) != 0) return OsError("syncing " + path, errno);
  if (::fsync(directory) != 0) return OsError("syncing the directory of " + path, errno);
  return MakeRealDiskFile(std::move(fd), path, size, pool);
}

// Of the directory: as long as what is set aside, and all of its blocks allocated.
constexpr const char* kReserveName = "reserve";

/// 0 if there is none. Runs on a pool thread.
Result<std::uint64_t> SizeOfReserve(int directory, const std::string& path) {
  struct stat status {};
  if (::fstatat(directory, kReserveName, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    // A copy of the directory may have a hole in its place.
    return std::min(static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_blocks) * 512);
  }
  if (errno == ENOENT) return 0;
  return OsError(fmt::format("looking at {}/{}", path, kReserveName), errno);
}

/// Runs on a pool thread.
Result<std::uint64_t> ResizeReserve(int directory, const std::string& path, std::uint64_t bytes) {
  const std::string name = fmt::format("{}/{}", path, kReserveName);
  UniqueFd fd(::openat(directory, kReserveName, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && errno == ENOSPC) return 0;
  if (!fd) return OsError("opening " + name, errno);
  TRY_ASSIGN(const std::uint64_t before, SizeOfReserve(directory, path));
  if (bytes > before) {
    if (::fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes)) == 0) return bytes;
    const bool cannot = errno == EOPNOTSUPP || errno == ENOSYS;
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    if (!cannot && !full && errno != EINTR) return OsError("allocating " + name, errno);
    bytes = before;  // it may have got a part of it
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return OsError("cutting " + name, errno);
  return bytes;
}

class RealDisk final : public Disk {
 public:
  RealDisk(std::string path, UniqueFd directory, std::string boot_id, BlockingPool& pool)
      : path_(std::move(path)), directory_(std::move(directory)), boot_id_(std::move(boot_id)), pool_(pool) {}

  Task<Result<std::unique_ptr<DiskFile>>> Open(std::string name, std::uint64_t size_bytes) override {
    std::optional<Result<std::unique_ptr<DiskFile>>> result;
    std::function<void()> job = [this, &result, &name, size_bytes] {
      result = OpenFile(directory_.get(), path_ + "/" + name, name, size_bytes, pool_);
    };
    co_await pool_.Run(std::move(job));
    co_return std::move(*result);
  }

  Task<Result<DiskSpace>> Space() override {
    struct statvfs status {};
    int error = 0;
    Result<std::uint64_t> reserve = std::uint64_t{0};
    std::function<void()> job = [this, &status, &error, &reserve] {
      if (::fstatvfs(directory_.get(), &status) != 0) error = errno;
      reserve = SizeOfReserve(directory_.get(), path_);
    };
    co_await pool_.Run(std::move(job));
    if (error != 0) co_return OsError("asking for the free space of " + path_, error);
    if (!reserve) co_return reserve.error();
    DiskSpace space;
    space.total_bytes = static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize;
    space.available_bytes = static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
    space.set_aside_bytes = *reserve;
    co_return space;
  }

  Task<Result<std::uint64_t>> SetAside(std::uint64_t bytes) override {
    Result<std::uint64_t> result = std::uint64_t{0};
    std::function<void()> job = [this, &result, bytes] { result = ResizeReserve(directory_.get(), path_, bytes); };
    co_await pool_.Run(std::move(job));
    co_return result;
  }

  std::string boot_id() const override { return boot_id_; }

 private:
  const std::string path_;
  const UniqueFd directory_;
  const std::string boot_id_;
  BlockingPool& pool_;
};

}  // namespace

Result<std::unique_ptr<Disk>> OpenRealDisk(std::string directory, BlockingPool& pool) {
  TRY_ASSIGN(std::string boot_id, ReadBootId());
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return OsError("opening " + directory, errno);
  std::unique_ptr<Disk> disk =
      std::make_unique<RealDisk>(std::move(directory), std::move(fd), std::move(boot_id), pool);
  return disk;
}

}  // namespace gabion
