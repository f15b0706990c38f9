#include "common/env/real/real_disk_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/byte_units.h"
#include "common/coro/async_event.h"
#include "common/env/real/os_error.h"

namespace gabion {
namespace {

off_t Offset(std::uint64_t offset_bytes) {
  return static_cast<off_t>(offset_bytes);
}

std::vector<iovec> IovecsOf(const Payload& payload) {
  std::vector<iovec> iovecs;
  iovecs.reserve(payload.slices().size());
  for (const Slice& slice : payload.slices()) {
    iovecs.push_back({const_cast<std::byte*>(slice.data()), slice.size()});
  }
  return iovecs;
}

/// What of a write is still to be done.
struct WriteProgress {
  std::vector<iovec> iovecs;
  std::size_t first = 0;  // of iovecs, not yet written whole
  std::uint64_t offset_bytes = 0;

  bool done() const { return first == iovecs.size(); }
  int count() const { return static_cast<int>(std::min<std::size_t>(iovecs.size() - first, IOV_MAX)); }

  void Advance(std::size_t bytes) {
    offset_bytes += bytes;
    while (first < iovecs.size() && bytes >= iovecs[first].iov_len) bytes -= iovecs[first++].iov_len;
    if (bytes > 0) {
      iovecs[first].iov_base = static_cast<std::byte*>(iovecs[first].iov_base) + bytes;
      iovecs[first].iov_len -= bytes;
    }
  }
};

/// 0 when all is written, otherwise the errno that stopped it.
int WriteOn(int fd, WriteProgress& progress, int flags) {
  while (!progress.done()) {
    ssize_t written =
        ::pwritev2(fd, &progress.iovecs[progress.first], progress.count(), Offset(progress.offset_bytes), flags);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;  // no reason given
    progress.Advance(static_cast<std::size_t>(written));
  }
  return 0;
}

/// Reads until `target` is full or the file ends; adds to `done`. 0, or the errno that stopped it.
int ReadOn(int fd, std::span<std::byte> target, std::uint64_t offset_bytes, std::size_t& done, int flags) {
  while (done < target.size()) {
    iovec rest{target.data() + done, target.size() - done};
    ssize_t got = ::preadv2(fd, &rest, 1, Offset(offset_bytes + done), flags);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    done += static_cast<std::size_t>(got);
  }
  return 0;
}

/// Whether the file's filesystem has memory for a disk. Such a filesystem knows no RWF_NOWAIT, for it never waits.
bool IsInMemory(int fd) {
  struct statfs status {};
  return ::fstatfs(fd, &status) == 0 && (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

bool WouldBlock(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

/// Kept by everyone who uses the file, pool jobs included.
struct File {
  File(UniqueFd descriptor, std::string name, std::uint64_t size)
      : fd(std::move(descriptor)),
        path(std::move(name)),
        inline_read_flags(IsInMemory(fd.get()) ? 0 : RWF_NOWAIT),
        size_bytes(size) {}

  struct SyncRound {
    AsyncEvent done;
    Result<void> result;  // before done
  };

  const UniqueFd fd;
  const std::string path;
  const int inline_read_flags;  // with which a read on the loop's thread does not wait for a disk
  std::atomic<std::uint64_t> size_bytes;
  // Cleared where the kernel says that the filesystem cannot; without them reads go to the pool, and writes see the
  // header.
  std::atomic<bool> nowait_reads = true;
  std::atomic<bool> nowait_writes = true;

  std::mutex mutex;
  bool syncing = false;                   // a pool thread runs SyncRounds
  std::shared_ptr<SyncRound> next_round;  // which those join who come now
  std::optional<Error> sync_failure;

  void Grow(std::uint64_t end_bytes) {
    std::uint64_t size = size_bytes.load();
    while (size < end_bytes && !size_bytes.compare_exchange_weak(size, end_bytes)) {
    }
  }
};

/// On a pool thread: one fdatasync a round, until nobody waits.
void SyncRounds(const std::shared_ptr<File>& file) {
  for (;;) {
    std::shared_ptr<File::SyncRound> round;
    {
      std::lock_guard lock(file->mutex);
      round = std::exchange(file->next_round, nullptr);
      if (round == nullptr) {
        file->syncing = false;
        return;
      }
    }
    if (::fdatasync(file->fd.get()) != 0) round->result = OsError("syncing " + file->path, errno, ErrorCode::kIo);
    {
      std::lock_guard lock(file->mutex);
      if (!round->result && !file->sync_failure) file->sync_failure = round->result.error();
      if (file->sync_failure) round->result = Error(ErrorCode::kIo, file->sync_failure->message());
    }
    round->done.Set();
  }
}

class RealDiskFile final : public DiskFile {
 public:
  RealDiskFile(std::shared_ptr<File> file, BlockingPool& pool) : file_(std::move(file)), pool_(pool) {}

  Task<Result<Slice>> ReadAt(std::uint64_t offset_bytes, std::size_t length) override {
    return Read(file_, pool_, offset_bytes, length);
  }
  Task<Result<void>> WriteAt(std::uint64_t offset_bytes, Payload payload) override {
    return Write(file_, pool_, offset_bytes, std::move(payload));
  }
  Task<Result<void>> Sync() override { return SyncFile(file_, pool_); }
  Task<Result<void>> PunchHole(std::uint64_t offset_bytes, std::uint64_t length_bytes) override {
    return Punch(file_, pool_, offset_bytes, length_bytes);
  }

 private:
  static Task<Result<Slice>> Read(std::shared_ptr<File> file, BlockingPool& pool, std::uint64_t offset_bytes,
                                  std::size_t length);
  static Task<Result<void>> Write(std::shared_ptr<File> file, BlockingPool& pool, std::uint64_t offset_bytes,
                                  Payload payload);
  static Task<Result<void>> SyncFile(std::shared_ptr<File> file, BlockingPool& pool);
  static Task<Result<void>> Punch(std::shared_ptr<File> file, BlockingPool& pool, std::uint64_t offset_bytes,
                                  std::uint64_t length_bytes);

  const std::shared_ptr<File> file_;
  BlockingPool& pool_;
};

Result<void> CheckRange(const File& file, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  if (offset_bytes <= kMaxFileBytes && length_bytes <= kMaxFileBytes - offset_bytes) return {};
  return {ErrorCode::kIo,
          fmt::format("{}: {} bytes from {} are beyond what a file can hold", file.path, length_bytes, offset_bytes)};
}

Task<Result<Slice>> RealDiskFile::Read(std::shared_ptr<File> file, BlockingPool& pool, std::uint64_t offset_bytes,
                                       std::size_t length) {
  CO_TRY(CheckRange(*file, offset_bytes, length));
  MutableBuffer buffer(length);
  // Only what the file has is asked for, so that a short answer means "not in memory" and not "the end".
  const std::uint64_t size = file->size_bytes.load();
  const std::size_t wanted = offset_bytes >= size ? 0 : std::min<std::uint64_t>(length, size - offset_bytes);
  std::span<std::byte> target = buffer.span().first(wanted);
  std::size_t done = 0;
  int error = 0;
  if (file->nowait_reads.load(std::memory_order_relaxed)) {
    error = ReadOn(file->fd.get(), target, offset_bytes, done, file->inline_read_flags);
    if (error == EOPNOTSUPP) file->nowait_reads = false;
  }
  const bool failed = error != 0 && !WouldBlock(error) && error != EOPNOTSUPP;
  if (done < wanted && !failed) {
    std::function<void()> job = [&file, target, offset_bytes, &done, &error] {
      error = ReadOn(file->fd.get(), target, offset_bytes, done, 0);
    };
    co_await pool.Run(std::move(job));
  }
  if (error != 0 && done < wanted) {
    co_return OsError(fmt::format("reading {} bytes from {} of {}", length, offset_bytes, file->path), error);
  }
  if (done < length) std::memset(buffer.data() + done, 0, length - done);
  co_return std::move(buffer).Share();
}

Task<Result<void>> RealDiskFile::Write(std::shared_ptr<File> file, BlockingPool& pool, std::uint64_t offset_bytes,
                                       Payload payload) {
  CO_TRY(CheckRange(*file, offset_bytes, payload.size()));
  WriteProgress progress{IovecsOf(payload), 0, offset_bytes};
  int error = EOPNOTSUPP;
  if (file->nowait_writes.load(std::memory_order_relaxed)) {
    error = WriteOn(file->fd.get(), progress, RWF_NOWAIT);
    if (error == EOPNOTSUPP) file->nowait_writes = false;
  }
  if (error == EOPNOTSUPP && payload.size() <= kInlineWriteBytes) {
    error = WriteOn(file->fd.get(), progress, 0);
  } else if (error == EOPNOTSUPP || WouldBlock(error)) {
    std::function<void()> job = [&file, &progress, &error] { error = WriteOn(file->fd.get(), progress, 0); };
    co_await pool.Run(std::move(job));
  }
  file->Grow(progress.offset_bytes);
  if (error != 0) {
    co_return OsError(fmt::format("writing {} bytes at {} of {}", payload.size(), offset_bytes, file->path), error);
  }
  co_return Result<void>();
}

Task<Result<void>> RealDiskFile::SyncFile(std::shared_ptr<File> file, BlockingPool& pool) {
  std::shared_ptr<File::SyncRound> round;
  bool start = false;
  {
    std::lock_guard lock(file->mutex);
    if (file->next_round == nullptr) file->next_round = std::make_shared<File::SyncRound>();
    round = file->next_round;
    start = !std::exchange(file->syncing, true);
  }
  if (start) pool.Submit([file] { SyncRounds(file); });
  co_await round->done.Wait();
  co_return round->result;
}

Task<Result<void>> RealDiskFile::Punch(std::shared_ptr<File> file, BlockingPool& pool, std::uint64_t offset_bytes,
                                       std::uint64_t length_bytes) {
  CO_TRY(CheckRange(*file, offset_bytes, length_bytes));
  if (length_bytes == 0) co_return Result<void>();
  int error = 0;
  std::function<void()> job = [&file, offset_bytes, length_bytes, &error] {
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (::fallocate(file->fd.get(), mode, Offset(offset_bytes), Offset(length_bytes)) != 0) error = errno;
  };
  co_await pool.Run(std::move(job));
  if (error != 0) {
    co_return OsError(fmt::format("punching {} bytes at {} out of {}", length_bytes, offset_bytes, file->path), error);
  }
  co_return Result<void>();
}

}  // namespace

std::unique_ptr<DiskFile> MakeRealDiskFile(UniqueFd fd, std::string path, std::uint64_t size_bytes,
                                           BlockingPool& pool) {
  auto file = std::make_shared<File>(std::move(fd), std::move(path), size_bytes);
  return std::make_unique<RealDiskFile>(std::move(file), pool);
}

}  // namespace gabion
