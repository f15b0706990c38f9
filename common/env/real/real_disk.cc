#include "common/env/real/real_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

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
    std::function<void()> job = [this, &status, &error] {
      if (::fstatvfs(directory_.get(), &status) != 0) error = errno;
    };
    co_await pool_.Run(std::move(job));
    if (error != 0) co_return OsError("asking for the free space of " + path_, error);
    DiskSpace space;
    space.total_bytes = static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize;
    space.available_bytes = static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
    co_return space;
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
