#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/buffer.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/coro/task.h"
#include "common/lock/range_locks.h"

namespace gabion {

/// Who makes a call. Supplementary groups are not in a FUSE request: `pid` is where to find them when a check fails.
struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t pid = 0;
};

/// An inode's attributes as the kernel wants them. Times are nanoseconds since 1970; `mode` has the type bits.
struct FileAttr {
  Ino ino;
  std::uint32_t mode = 0;
  std::uint32_t nlink = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t rdev = 0;
  std::uint64_t size = 0;
  std::uint64_t used_bytes = 0;
  std::int64_t atime_ns = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::int64_t btime_ns = 0;
};

/// How long the kernel may use an answer without asking again (docs/leases.md, "The kernel").
struct Validity {
  std::uint64_t entry_ns = 0;
  std::uint64_t attr_ns = 0;
};

/// No inode number: there is no such name, and the kernel may remember that for a while.
struct Entry {
  FileAttr attr;
  Validity validity;
};

struct Attributes {
  FileAttr attr;
  std::uint64_t valid_ns = 0;
};

struct OpenedFile {
  HandleId handle;
  bool keep_cache = false;  // the kernel's pages of this inode are still right
  bool direct_io = false;   // the kernel must not cache pages of this handle
};

struct CreatedFile {
  Entry entry;
  OpenedFile file;
};

/// What setattr changes; what is not set stays.
struct AttrChange {
  std::optional<std::uint32_t> mode, uid, gid;
  std::optional<std::uint64_t> size;
  std::optional<std::int64_t> atime_ns, mtime_ns;
  bool atime_now = false, mtime_now = false;
  bool kill_suid_sgid = false;
  std::optional<HandleId> handle;  // ftruncate
};

struct DirEntryPlus {
  std::string name;
  Ino ino;
  std::uint32_t type_mode = 0;
  std::uint64_t next_offset = 0;  // resumes the listing after this entry
  std::optional<Entry> entry;     // with_attr
};

struct StatFs {
  std::uint64_t total_bytes = 0, free_bytes = 0, total_inodes = 0, free_inodes = 0;
};

enum class FallocateMode { kAllocate, kKeepSize, kPunchHole, kZeroRange, kZeroRangeKeepSize };
enum class SeekWhence { kData, kHole };

/// A mounted volume as a POSIX filesystem: what FUSE, virtiofs and the simulator call (DESIGN 6.1). Coherent with every
/// other client as DESIGN 1 says. Called on any of the client's loops; each call is one coroutine on the caller's loop.
///
/// Names are checked here (empty, '/', over 255 bytes). Errors are those of the system call of the same name, as
/// ErrorCode (fs-client/errno_map.h); kCancelled is EINTR. Calls wait out lost connections and restarted servers.
class Vfs {
 public:
  virtual ~Vfs() = default;

  virtual Task<Result<Entry>> Lookup(Caller caller, Ino parent, std::string name) = 0;
  virtual Task<Result<Attributes>> GetAttr(Caller caller, Ino ino, std::optional<HandleId> handle) = 0;
  virtual Task<Result<Attributes>> SetAttr(Caller caller, Ino ino, AttrChange change) = 0;
  virtual Task<Result<std::string>> ReadLink(Caller caller, Ino ino) = 0;

  /// Regular files that stay closed, devices, fifos, sockets. `mode` has the type, umask applied.
  virtual Task<Result<Entry>> Mknod(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                    std::uint64_t rdev) = 0;
  virtual Task<Result<Entry>> Mkdir(Caller caller, Ino parent, std::string name, std::uint32_t mode) = 0;
  virtual Task<Result<Entry>> Symlink(Caller caller, Ino parent, std::string name, std::string target) = 0;
  virtual Task<Result<Entry>> Link(Caller caller, Ino ino, Ino new_parent, std::string new_name) = 0;
  virtual Task<Result<void>> Unlink(Caller caller, Ino parent, std::string name) = 0;
  virtual Task<Result<void>> Rmdir(Caller caller, Ino parent, std::string name) = 0;
  /// `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE of renameat2(2); others are kInvalidArgument.
  virtual Task<Result<void>> Rename(Caller caller, Ino parent, std::string name, Ino new_parent, std::string new_name,
                                    std::uint32_t flags) = 0;

  /// `flags` of open(2), on Linux's numbers (O_CREAT, O_EXCL, O_NOCTTY are not for Open).
  virtual Task<Result<CreatedFile>> Create(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                           std::uint32_t flags) = 0;
  virtual Task<Result<CreatedFile>> TmpFile(Caller caller, Ino parent, std::uint32_t mode, std::uint32_t flags) = 0;
  virtual Task<Result<OpenedFile>> Open(Caller caller, Ino ino, std::uint32_t flags) = 0;
  /// Up to `size` bytes; shorter only at the end of the file.
  virtual Task<Result<Payload>> Read(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                     std::uint32_t size) = 0;
  /// Takes all of `data` or fails. The bytes are copied before the first suspension, so that `data` may be transport
  /// memory.
  virtual Task<Result<void>> Write(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                   std::span<const std::byte> data, bool kill_suid_sgid) = 0;
  /// close(2): what was written through the handle becomes visible to other clients, and the process's fcntl(2) locks
  /// of the file go. Tells write errors.
  virtual Task<Result<void>> Flush(Caller caller, Ino ino, HandleId handle, std::uint64_t lock_owner) = 0;
  /// The last close, with which all locks that were taken through the handle go: cannot fail.
  virtual Task<void> Release(Ino ino, HandleId handle) = 0;
  virtual Task<Result<void>> Fsync(Caller caller, Ino ino, HandleId handle, bool data_only) = 0;
  virtual Task<Result<void>> Fallocate(Caller caller, Ino ino, HandleId handle, FallocateMode mode,
                                       std::uint64_t offset_bytes, std::uint64_t length_bytes) = 0;
  /// kNoAttribute (ENXIO to the caller) if there is nothing to find after the offset.
  virtual Task<Result<std::uint64_t>> Seek(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                           SeekWhence whence) = 0;

  /// fcntl(2)'s and flock(2)'s locks, whose owners are numbers of the kernel's. kLocked is EAGAIN; one that waits ends
  /// with kCancelled when any signal comes.
  virtual Task<Result<void>> SetLock(Caller caller, Ino ino, HandleId handle, RangeLock lock, bool wait) = 0;
  virtual Task<Result<void>> Unlock(Caller caller, Ino ino, HandleId handle, RangeLock range) = 0;
  /// A lock of others that is in the way.
  virtual Task<Result<std::optional<RangeLock>>> TestLock(Caller caller, Ino ino, RangeLock lock) = 0;

  virtual Task<Result<HandleId>> OpenDir(Caller caller, Ino ino) = 0;
  /// Entries after `offset` (0: from the start, "." and ".." included), about `max_bytes` of names and attributes.
  virtual Task<Result<std::vector<DirEntryPlus>>> ReadDir(Caller caller, Ino ino, HandleId handle, std::uint64_t offset,
                                                          std::uint32_t max_bytes, bool with_attr) = 0;
  virtual Task<void> ReleaseDir(Ino ino, HandleId handle) = 0;
  virtual Task<Result<void>> FsyncDir(Caller caller, Ino ino) = 0;

  virtual Task<Result<void>> SetXattr(Caller caller, Ino ino, std::string name, std::string value,
                                      std::uint32_t flags) = 0;
  virtual Task<Result<std::string>> GetXattr(Caller caller, Ino ino, std::string name) = 0;
  virtual Task<Result<std::vector<std::string>>> ListXattr(Caller caller, Ino ino) = 0;
  virtual Task<Result<void>> RemoveXattr(Caller caller, Ino ino, std::string name) = 0;

  virtual Task<Result<StatFs>> StatVolume() = 0;
};

/// How the core tells a front end that the kernel's caches are no longer right. Called on any loop; the calls return
/// when the kernel has dropped what it held, or after a deadline of 1 s with a log line. Implementations write
/// notifications from a thread that serves no request (DESIGN 6.1).
class CacheInvalidator {
 public:
  virtual ~CacheInvalidator() = default;
  /// Attributes and pages. False if the deadline passed.
  virtual Task<bool> InvalidateData(Ino ino) = 0;
  /// Attributes alone, which waits for no page. False if the deadline passed.
  virtual Task<bool> InvalidateAttributes(std::vector<Ino> inodes) = 0;
};

}  // namespace gabion
