#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "common/base/ids.h"
#include "common/lock/range_locks.h"
#include "fs-client/fuse/kernel_abi.h"

/// The requests of the FUSE protocol, typed. Views and spans point into the transport's memory: they are dead once the
/// handler has suspended. No name was looked at beyond its termination: emptiness, '/' and length are the Vfs's to
/// check.
namespace gabion::fuse {

struct Lookup {
  std::string_view name;
};
struct GetAttr {
  std::optional<HandleId> handle;
};
struct Statx {
  std::optional<HandleId> handle;
};
/// Times are nanoseconds since 1970, clamped to what 64 bits hold.
struct SetAttr {
  std::optional<std::uint32_t> mode, uid, gid;
  std::optional<std::uint64_t> size;
  std::optional<std::int64_t> atime_ns, mtime_ns;
  bool atime_now = false;
  bool mtime_now = false;
  bool kill_suid_sgid = false;
  std::optional<HandleId> handle;
};
struct ReadLink {};
struct Symlink {
  std::string_view name;
  std::string_view target;
};
struct Mknod {
  std::string_view name;
  std::uint32_t mode = 0;
  std::uint32_t rdev = 0;
};
struct Mkdir {
  std::string_view name;
  std::uint32_t mode = 0;
};
struct Unlink {
  std::string_view name;
};
struct Rmdir {
  std::string_view name;
};
/// RENAME and RENAME2.
struct Rename {
  std::string_view name;
  Ino new_parent;
  std::string_view new_name;
  std::uint32_t flags = 0;
};
/// The header's node is the directory.
struct Link {
  Ino source;
  std::string_view name;
};

// An O_TRUNC takes suid and sgid away by the metaserver's own rule, so that FUSE_OPEN_KILL_SUIDGID tells nothing new.
struct Open {
  std::uint32_t flags = 0;
};
struct Create {
  std::string_view name;
  std::uint32_t mode = 0;
  std::uint32_t flags = 0;
};
struct TmpFile {
  std::uint32_t mode = 0;
  std::uint32_t flags = 0;
};
struct Read {
  HandleId handle;
  std::uint64_t offset_bytes = 0;
  std::uint32_t size = 0;
};
struct Write {
  HandleId handle;
  std::uint64_t offset_bytes = 0;
  std::span<const std::byte> data;
  bool kill_suid_sgid = false;
};
struct Flush {
  HandleId handle;
  std::uint64_t lock_owner = 0;
};
struct Release {
  HandleId handle;
};
struct Fsync {
  HandleId handle;
  bool data_only = false;
};
/// `mode` as of fallocate(2), unchecked.
struct Fallocate {
  HandleId handle;
  std::uint32_t mode = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};
/// `whence` as of lseek(2), unchecked.
struct Seek {
  HandleId handle;
  std::uint64_t offset_bytes = 0;
  std::uint32_t whence = 0;
};

struct OpenDir {};
/// READDIR and READDIRPLUS.
struct ReadDir {
  HandleId handle;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
  bool plus = false;
};
struct ReleaseDir {
  HandleId handle;
};
struct FsyncDir {};

struct SetXattr {
  std::string_view name;
  std::string_view value;
  std::uint32_t flags = 0;
};
/// `size` 0 asks for the length only.
struct GetXattr {
  std::string_view name;
  std::uint32_t size = 0;
};
struct ListXattr {
  std::uint32_t size = 0;
};
struct RemoveXattr {
  std::string_view name;
};

struct StatVolume {};

struct SetLock {
  HandleId handle;
  RangeLock lock;
  bool wait = false;
};
struct Unlock {
  HandleId handle;
  RangeLock range;
};
struct TestLock {
  RangeLock lock;
};

struct Init {
  fuse_init_in init{};
};
struct Destroy {};
/// FORGET and BATCH_FORGET. No reply.
struct Forget {};
/// No reply unless it cannot be honoured yet.
struct Interrupt {
  std::uint64_t unique = 0;
};
/// An operation that is known and not offered, or unknown: ENOSYS tells the kernel not to ask again.
struct Unsupported {};

using Operation = std::variant<Lookup, GetAttr, Statx, SetAttr, ReadLink, Symlink, Mknod, Mkdir, Unlink, Rmdir, Rename,
                               Link, Open, Create, TmpFile, Read, Write, Flush, Release, Fsync, Fallocate, Seek,
                               OpenDir, ReadDir, ReleaseDir, FsyncDir, SetXattr, GetXattr, ListXattr, RemoveXattr,
                               StatVolume, SetLock, Unlock, TestLock, Init, Destroy, Forget, Interrupt, Unsupported>;

/// Who asks for what.
struct RequestHeader {
  std::uint32_t opcode = 0;
  std::uint64_t unique = 0;
  Ino node;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t pid = 0;  // of the calling thread; 0 for work of the kernel's own (write-back)
};

/// One request as its transport delivers it: the operation's own struct, and what follows it (names, data), which are
/// contiguous on /dev/fuse and apart on a ring or in a guest's descriptors.
struct RequestBytes {
  fuse_in_header header{};
  std::span<const std::byte> argument;
  std::span<const std::byte> rest;
};

}  // namespace gabion::fuse
