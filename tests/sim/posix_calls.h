#pragma once

#include <fcntl.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/sim/sim_cluster.h"

namespace gabion {

/// An open file, as a descriptor of a process on the client's machine.
struct Fd {
  Ino ino;
  HandleId handle;
  int flags = 0;
  std::uint64_t process = 0;  // whose locks go with close(2)
};

struct DirectoryItem {
  std::string name;
  Ino ino;
  std::uint32_t type_mode = 0;
  friend auto operator<=>(const DirectoryItem&, const DirectoryItem&) = default;
};

// Flags of Rename, as renameat2(2)'s.
inline constexpr std::uint32_t kNoReplace = 1;
inline constexpr std::uint32_t kExchange = 2;

/// System calls on a client of a SimCluster, by path, in the steps that the kernel makes of them when it may cache
/// nothing: every component is looked up, every read asks for the size first. As root. Each call runs on the client's
/// machine and may be awaited on any; a client that is killed meanwhile answers with an error.
class PosixCalls {
 public:
  PosixCalls(SimCluster& cluster, std::string client) : cluster_(cluster), client_(std::move(client)) {}

  const std::string& client() const { return client_; }

  Task<Result<FileAttr>> Stat(std::string path);
  Task<Result<FileAttr>> Fstat(Fd fd);
  /// `flags` as open(2)'s, O_CREAT and O_EXCL included. Of files only: a directory is kIsDirectory.
  Task<Result<Fd>> Open(std::string path, int flags);
  Task<Result<std::string>> Pread(Fd fd, std::uint64_t offset, std::uint32_t size);
  /// In pieces of at most 1 MiB, as the kernel's. With O_APPEND the offset does not matter.
  Task<Result<void>> Pwrite(Fd fd, std::uint64_t offset, std::string bytes);
  Task<Result<void>> Fsync(Fd fd);
  Task<Result<void>> Ftruncate(Fd fd, std::uint64_t size);
  /// The answer is of flush; the handle is released whatever it is.
  Task<Result<void>> Close(Fd fd);
  /// fcntl(F_SETLK, F_SETLKW) of the descriptor's process.
  Task<Result<void>> Lock(Fd fd, std::uint64_t begin, std::uint64_t last, bool exclusive, bool wait);
  Task<Result<void>> Unlock(Fd fd, std::uint64_t begin, std::uint64_t last);
  Task<Result<void>> Truncate(std::string path, std::uint64_t size);
  Task<Result<void>> Mkdir(std::string path);
  Task<Result<void>> Rmdir(std::string path);
  Task<Result<void>> Unlink(std::string path);
  Task<Result<void>> Link(std::string from, std::string to);
  Task<Result<void>> Rename(std::string from, std::string to, std::uint32_t flags = 0);
  Task<Result<void>> Symlink(std::string target, std::string path);
  Task<Result<std::string>> ReadLink(std::string path);
  /// Without "." and "..", in the order given.
  Task<Result<std::vector<DirectoryItem>>> List(std::string path);
  Task<Result<void>> FsyncDir(std::string path);

  // What shells do.

  /// Makes or empties the file, writes, closes.
  Task<Result<void>> WriteFile(std::string path, std::string bytes);
  /// As WriteFile, with fsync before close.
  Task<Result<void>> WriteFileDurably(std::string path, std::string bytes);
  Task<Result<std::string>> ReadFile(std::string path);

 private:
  template <typename T>
  Task<T> Here(Task<T> call) {
    return SimCluster::On(cluster_.executor(client_), std::move(call));
  }
  Vfs& vfs() { return cluster_.vfs(client_); }

  SimCluster& cluster_;
  const std::string client_;
};

}  // namespace gabion
