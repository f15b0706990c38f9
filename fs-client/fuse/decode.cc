#include "fs-client/fuse/decode.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>

namespace gabion::fuse {
namespace {

struct OpcodeEntry {
  std::string_view name;
  std::uint16_t argument_size = 0;
};

/// By opcode. An empty name: unknown.
constexpr auto kOpcodes = [] {
  std::array<OpcodeEntry, kOpCopyFileRange64 + 1> table{};
  table[FUSE_LOOKUP] = {"LOOKUP", 0};
  table[FUSE_FORGET] = {"FORGET", sizeof(fuse_forget_in)};
  table[FUSE_GETATTR] = {"GETATTR", sizeof(fuse_getattr_in)};
  table[FUSE_SETATTR] = {"SETATTR", sizeof(fuse_setattr_in)};
  table[FUSE_READLINK] = {"READLINK", 0};
  table[FUSE_SYMLINK] = {"SYMLINK", 0};
  table[FUSE_MKNOD] = {"MKNOD", sizeof(fuse_mknod_in)};
  table[FUSE_MKDIR] = {"MKDIR", sizeof(fuse_mkdir_in)};
  table[FUSE_UNLINK] = {"UNLINK", 0};
  table[FUSE_RMDIR] = {"RMDIR", 0};
  table[FUSE_RENAME] = {"RENAME", sizeof(fuse_rename_in)};
  table[FUSE_LINK] = {"LINK", sizeof(fuse_link_in)};
  table[FUSE_OPEN] = {"OPEN", sizeof(fuse_open_in)};
  table[FUSE_READ] = {"READ", sizeof(fuse_read_in)};
  table[FUSE_WRITE] = {"WRITE", sizeof(fuse_write_in)};
  table[FUSE_STATFS] = {"STATFS", 0};
  table[FUSE_RELEASE] = {"RELEASE", sizeof(fuse_release_in)};
  table[FUSE_FSYNC] = {"FSYNC", sizeof(fuse_fsync_in)};
  table[FUSE_SETXATTR] = {"SETXATTR", sizeof(fuse_setxattr_in)};
  table[FUSE_GETXATTR] = {"GETXATTR", sizeof(fuse_getxattr_in)};
  table[FUSE_LISTXATTR] = {"LISTXATTR", sizeof(fuse_getxattr_in)};
  table[FUSE_REMOVEXATTR] = {"REMOVEXATTR", 0};
  table[FUSE_FLUSH] = {"FLUSH", sizeof(fuse_flush_in)};
  table[FUSE_INIT] = {"INIT", sizeof(fuse_init_in)};
  table[FUSE_OPENDIR] = {"OPENDIR", sizeof(fuse_open_in)};
  table[FUSE_READDIR] = {"READDIR", sizeof(fuse_read_in)};
  table[FUSE_RELEASEDIR] = {"RELEASEDIR", sizeof(fuse_release_in)};
  table[FUSE_FSYNCDIR] = {"FSYNCDIR", sizeof(fuse_fsync_in)};
  table[FUSE_GETLK] = {"GETLK", sizeof(fuse_lk_in)};
  table[FUSE_SETLK] = {"SETLK", sizeof(fuse_lk_in)};
  table[FUSE_SETLKW] = {"SETLKW", sizeof(fuse_lk_in)};
  table[FUSE_ACCESS] = {"ACCESS", sizeof(fuse_access_in)};
  table[FUSE_CREATE] = {"CREATE", sizeof(fuse_create_in)};
  table[FUSE_INTERRUPT] = {"INTERRUPT", sizeof(fuse_interrupt_in)};
  table[FUSE_BMAP] = {"BMAP", sizeof(fuse_bmap_in)};
  table[FUSE_DESTROY] = {"DESTROY", 0};
  table[FUSE_IOCTL] = {"IOCTL", sizeof(fuse_ioctl_in)};
  table[FUSE_POLL] = {"POLL", sizeof(fuse_poll_in)};
  table[FUSE_NOTIFY_REPLY] = {"NOTIFY_REPLY", sizeof(fuse_notify_retrieve_in)};
  table[FUSE_BATCH_FORGET] = {"BATCH_FORGET", sizeof(fuse_batch_forget_in)};
  table[FUSE_FALLOCATE] = {"FALLOCATE", sizeof(fuse_fallocate_in)};
  table[FUSE_READDIRPLUS] = {"READDIRPLUS", sizeof(fuse_read_in)};
  table[FUSE_RENAME2] = {"RENAME2", sizeof(fuse_rename2_in)};
  table[FUSE_LSEEK] = {"LSEEK", sizeof(fuse_lseek_in)};
  table[FUSE_COPY_FILE_RANGE] = {"COPY_FILE_RANGE", sizeof(fuse_copy_file_range_in)};
  table[FUSE_SYNCFS] = {"SYNCFS", 8};
  table[FUSE_TMPFILE] = {"TMPFILE", sizeof(fuse_create_in)};
  table[kOpStatx] = {"STATX", sizeof(StatxIn)};
  table[kOpCopyFileRange64] = {"COPY_FILE_RANGE_64", sizeof(fuse_copy_file_range_in)};
  return table;
}();

constexpr std::size_t kShortSetXattrBytes = FUSE_COMPAT_SETXATTR_IN_SIZE;
constexpr std::size_t kShortInitBytes = offsetof(fuse_init_in, flags2);

/// Reads one request front to back and remembers the first thing that was missing.
class Reader {
 public:
  explicit Reader(const RequestBytes& bytes) : argument_(bytes.argument), rest_(bytes.rest) {}

  /// The operation's struct; zeros if it is not there in full. `size`: how much of it the peer sends.
  template <typename T>
  T Argument(std::size_t size = sizeof(T)) {
    T value{};
    if (argument_.size() < size) {
      Fail("its argument is cut off");
      return value;
    }
    std::memcpy(&value, argument_.data(), size);
    return value;
  }

  /// The next NUL-terminated string.
  std::string_view String() {
    std::size_t limit = std::min(rest_.size(), kMaxStringBytes);
    const void* end = limit == 0 ? nullptr : std::memchr(rest_.data(), 0, limit);
    if (end == nullptr) {
      Fail(rest_.size() > limit ? "a string is too long" : "a string is not terminated");
      return {};
    }
    auto length = static_cast<std::size_t>(static_cast<const std::byte*>(end) - rest_.data());
    std::string_view text(reinterpret_cast<const char*>(rest_.data()), length);
    rest_ = rest_.subspan(length + 1);
    return text;
  }

  std::span<const std::byte> Bytes(std::size_t size) {
    if (rest_.size() < size) {
      Fail("its data is cut off");
      return {};
    }
    std::span<const std::byte> bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
  }

  /// A size that bounds memory somewhere.
  std::uint32_t Size(std::uint32_t size) {
    if (size > kMaxIoBytes) Fail("it is larger than what was agreed on");
    return size;
  }

  /// Offsets and lengths are signed in POSIX.
  std::uint64_t Offset(std::uint64_t offset) {
    if (offset > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      Fail("its offset is out of range");
    return offset;
  }

  void Fail(const char* problem) {
    if (problem_ == nullptr) problem_ = problem;
  }
  const char* problem() const { return problem_; }

 private:
  std::span<const std::byte> argument_;
  std::span<const std::byte> rest_;
  const char* problem_ = nullptr;
};

std::int64_t ToNs(std::uint64_t seconds_bits, std::uint32_t nanoseconds) {
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  constexpr std::int64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / kPerSecond - 1;
  auto seconds = static_cast<std::int64_t>(seconds_bits);
  if (seconds > kMaxSeconds) return std::numeric_limits<std::int64_t>::max();
  if (seconds < -kMaxSeconds) return std::numeric_limits<std::int64_t>::min();
  return seconds * kPerSecond + nanoseconds;
}

SetAttr ReadSetAttr(Reader& reader) {
  auto in = reader.Argument<fuse_setattr_in>();
  if (in.atimensec > 999'999'999 || in.mtimensec > 999'999'999) reader.Fail("its nanoseconds are out of range");
  SetAttr change;
  if (in.valid & FATTR_MODE) change.mode = in.mode;
  if (in.valid & FATTR_UID) change.uid = in.uid;
  if (in.valid & FATTR_GID) change.gid = in.gid;
  if (in.valid & FATTR_SIZE) change.size = reader.Offset(in.size);
  change.atime_now = (in.valid & FATTR_ATIME_NOW) != 0;
  change.mtime_now = (in.valid & FATTR_MTIME_NOW) != 0;
  if ((in.valid & FATTR_ATIME) && !change.atime_now) change.atime_ns = ToNs(in.atime, in.atimensec);
  if ((in.valid & FATTR_MTIME) && !change.mtime_now) change.mtime_ns = ToNs(in.mtime, in.mtimensec);
  change.kill_suid_sgid = (in.valid & FATTR_KILL_SUIDGID) != 0;
  if (in.valid & FATTR_FH) change.handle = HandleId(in.fh);
  return change;
}

// The operations in the order of their opcodes. Strings are read in the order in which they come.

Operation ReadNamed(std::uint32_t opcode, Reader& reader) {
  std::string_view name = reader.String();
  switch (opcode) {
    case FUSE_LOOKUP:
      return Lookup{name};
    case FUSE_UNLINK:
      return Unlink{name};
    case FUSE_RMDIR:
      return Rmdir{name};
    case FUSE_REMOVEXATTR:
      return RemoveXattr{name};
    case FUSE_SYMLINK:
      return Symlink{name, reader.String()};
    default:
      return Unsupported{};
  }
}

Operation ReadMake(std::uint32_t opcode, Reader& reader) {
  if (opcode == FUSE_MKNOD) {
    auto in = reader.Argument<fuse_mknod_in>();
    return Mknod{reader.String(), in.mode, in.rdev};
  }
  if (opcode == FUSE_MKDIR) {
    auto in = reader.Argument<fuse_mkdir_in>();
    return Mkdir{reader.String(), in.mode};
  }
  if (opcode == FUSE_LINK) {
    auto in = reader.Argument<fuse_link_in>();
    return Link{Ino(in.oldnodeid), reader.String()};
  }
  auto in = reader.Argument<fuse_create_in>();
  if (opcode == FUSE_TMPFILE) return TmpFile{in.mode, in.flags};
  return Create{reader.String(), in.mode, in.flags};
}

Rename ReadRename(std::uint32_t opcode, Reader& reader) {
  Rename rename;
  if (opcode == FUSE_RENAME2) {
    auto in = reader.Argument<fuse_rename2_in>();
    rename.new_parent = Ino(in.newdir);
    rename.flags = in.flags;
  } else {
    rename.new_parent = Ino(reader.Argument<fuse_rename_in>().newdir);
  }
  rename.name = reader.String();
  rename.new_name = reader.String();
  return rename;
}

Operation ReadTransfer(std::uint32_t opcode, Reader& reader) {
  if (opcode == FUSE_WRITE) {
    auto in = reader.Argument<fuse_write_in>();
    std::uint32_t size = reader.Size(in.size);
    return Write{HandleId(in.fh), reader.Offset(in.offset), reader.Bytes(size),
                 (in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0};
  }
  auto in = reader.Argument<fuse_read_in>();
  std::uint32_t size = reader.Size(in.size);
  if (opcode == FUSE_READ) return Read{HandleId(in.fh), reader.Offset(in.offset), size};
  // A directory's offset is the Vfs's own cookie, whatever its bits.
  return ReadDir{HandleId(in.fh), in.offset, size, opcode == FUSE_READDIRPLUS};
}

Operation ReadOnHandle(std::uint32_t opcode, Reader& reader) {
  switch (opcode) {
    case FUSE_FLUSH: {
      auto in = reader.Argument<fuse_flush_in>();
      return Flush{HandleId(in.fh), in.lock_owner};
    }
    case FUSE_RELEASE:
      return Release{HandleId(reader.Argument<fuse_release_in>().fh)};
    case FUSE_RELEASEDIR:
      return ReleaseDir{HandleId(reader.Argument<fuse_release_in>().fh)};
    case FUSE_FSYNC: {
      auto in = reader.Argument<fuse_fsync_in>();
      return Fsync{HandleId(in.fh), (in.fsync_flags & FUSE_FSYNC_FDATASYNC) != 0};
    }
    case FUSE_FALLOCATE: {
      auto in = reader.Argument<fuse_fallocate_in>();
      return Fallocate{HandleId(in.fh), in.mode, reader.Offset(in.offset), reader.Offset(in.length)};
    }
    case FUSE_LSEEK: {
      auto in = reader.Argument<fuse_lseek_in>();
      return Seek{HandleId(in.fh), reader.Offset(in.offset), in.whence};
    }
    default:
      return Unsupported{};
  }
}

/// A lock to the end of the file, however long, ends at the largest offset in the kernel's numbers.
Operation ReadLock(std::uint32_t opcode, Reader& reader) {
  constexpr std::uint64_t kLargestOffset = std::numeric_limits<std::int64_t>::max();
  auto in = reader.Argument<fuse_lk_in>();
  RangeLock lock;
  lock.owner = {0, (in.lk_flags & FUSE_LK_FLOCK) != 0 ? LockKind::kFlock : LockKind::kPosix, in.owner};
  lock.exclusive = in.lk.type == F_WRLCK;
  lock.begin = reader.Offset(in.lk.start);
  lock.last = in.lk.end >= kLargestOffset ? RangeLock::kLastByte : in.lk.end;
  lock.pid = in.lk.pid;
  if (opcode == FUSE_GETLK) return TestLock{lock};
  if (in.lk.type == F_UNLCK) return Unlock{HandleId(in.fh), lock};
  return SetLock{HandleId(in.fh), lock, opcode == FUSE_SETLKW};
}

Operation ReadXattr(std::uint32_t opcode, Reader& reader, const Dialect& dialect) {
  if (opcode == FUSE_SETXATTR) {
    auto in = reader.Argument<fuse_setxattr_in>(ArgumentSize(opcode, dialect));
    std::string_view name = reader.String();
    std::span<const std::byte> value = reader.Bytes(in.size);
    return SetXattr{name, {reinterpret_cast<const char*>(value.data()), value.size()}, in.flags};
  }
  std::uint32_t size = reader.Size(reader.Argument<fuse_getxattr_in>().size);
  if (opcode == FUSE_LISTXATTR) return ListXattr{size};
  return GetXattr{reader.String(), size};
}

Operation ReadAttr(std::uint32_t opcode, Reader& reader) {
  if (opcode == FUSE_SETATTR) return ReadSetAttr(reader);
  if (opcode == FUSE_GETATTR) {
    auto in = reader.Argument<fuse_getattr_in>();
    return in.getattr_flags & FUSE_GETATTR_FH ? GetAttr{HandleId(in.fh)} : GetAttr{};
  }
  auto in = reader.Argument<StatxIn>();
  return in.getattr_flags & FUSE_GETATTR_FH ? Statx{HandleId(in.fh)} : Statx{};
}

Operation ReadConnection(std::uint32_t opcode, Reader& reader, std::size_t argument_size) {
  switch (opcode) {
    case FUSE_INIT: {
      // The struct grew in 7.36; older kernels send its beginning.
      return Init{reader.Argument<fuse_init_in>(std::clamp(argument_size, kShortInitBytes, sizeof(fuse_init_in)))};
    }
    case FUSE_DESTROY:
      return Destroy{};
    case FUSE_INTERRUPT:
      return Interrupt{reader.Argument<fuse_interrupt_in>().unique};
    default:
      return Forget{};
  }
}

Operation ReadOperation(const RequestBytes& bytes, Reader& reader, const Dialect& dialect) {
  std::uint32_t opcode = bytes.header.opcode;
  switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_REMOVEXATTR:
    case FUSE_SYMLINK:
      return ReadNamed(opcode, reader);
    case FUSE_GETATTR:
    case FUSE_SETATTR:
    case kOpStatx:
      return ReadAttr(opcode, reader);
    case FUSE_READLINK:
      return ReadLink{};
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_LINK:
    case FUSE_CREATE:
    case FUSE_TMPFILE:
      return ReadMake(opcode, reader);
    case FUSE_RENAME:
    case FUSE_RENAME2:
      return ReadRename(opcode, reader);
    case FUSE_OPEN:
      return Open{reader.Argument<fuse_open_in>().flags};
    case FUSE_READ:
    case FUSE_WRITE:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
      return ReadTransfer(opcode, reader);
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FSYNC:
    case FUSE_FALLOCATE:
    case FUSE_LSEEK:
      return ReadOnHandle(opcode, reader);
    case FUSE_GETLK:
    case FUSE_SETLK:
    case FUSE_SETLKW:
      return ReadLock(opcode, reader);
    case FUSE_OPENDIR:
      return OpenDir{};
    case FUSE_FSYNCDIR:
      return FsyncDir{};
    case FUSE_SETXATTR:
    case FUSE_GETXATTR:
    case FUSE_LISTXATTR:
      return ReadXattr(opcode, reader, dialect);
    case FUSE_STATFS:
      return StatVolume{};
    case FUSE_INIT:
    case FUSE_DESTROY:
    case FUSE_INTERRUPT:
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
      return ReadConnection(opcode, reader, bytes.argument.size());
    default:
      return Unsupported{};
  }
}

}  // namespace

std::size_t ArgumentSize(std::uint32_t opcode, const Dialect& dialect) {
  if (opcode == FUSE_SETXATTR && !dialect.setxattr_ext) return kShortSetXattrBytes;
  return opcode < kOpcodes.size() ? kOpcodes[opcode].argument_size : 0;
}

Result<RequestBytes> SplitDeviceRequest(std::span<const std::byte> bytes, const Dialect& dialect) {
  RequestBytes request;
  if (bytes.size() < sizeof request.header) {
    return {ErrorCode::kInvalidArgument, "a FUSE request of " + std::to_string(bytes.size()) + " bytes has no header"};
  }
  std::memcpy(&request.header, bytes.data(), sizeof request.header);
  if (request.header.len != bytes.size()) {
    return {ErrorCode::kInvalidArgument, "a FUSE request of " + std::to_string(bytes.size()) +
                                             " bytes says that it has " + std::to_string(request.header.len)};
  }
  std::span<const std::byte> body = bytes.subspan(sizeof request.header);
  std::size_t argument_size = std::min(ArgumentSize(request.header.opcode, dialect), body.size());
  request.argument = body.first(argument_size);
  request.rest = body.subspan(argument_size);
  return request;
}

RequestHeader HeaderOf(const RequestBytes& bytes) {
  const fuse_in_header& in = bytes.header;
  return {in.opcode, in.unique, Ino(in.nodeid), in.uid, in.gid, in.pid};
}

Result<Operation> Decode(const RequestBytes& bytes, const Dialect& dialect) {
  Reader reader(bytes);
  Operation operation = ReadOperation(bytes, reader, dialect);
  if (reader.problem() == nullptr) return operation;
  return {ErrorCode::kInvalidArgument, "malformed FUSE request " + std::string(OpcodeName(bytes.header.opcode)) + " (" +
                                           std::to_string(bytes.header.opcode) + "): " + reader.problem()};
}

std::string_view OpcodeName(std::uint32_t opcode) {
  if (opcode >= kOpcodes.size() || kOpcodes[opcode].name.empty()) return "opcode";
  return kOpcodes[opcode].name;
}

}  // namespace gabion::fuse
