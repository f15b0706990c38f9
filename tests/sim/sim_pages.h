#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/coro/async_mutex.h"
#include "fs-client/vfs/vfs.h"

namespace gabion {

/// The page cache of the kernel above a client's Vfs. A page is locked while it is read, and while part of one is
/// written that is not there; whoever drops it waits for that. How long a file is it leaves to others.
class SimPages {
 public:
  explicit SimPages(Vfs& below) : below_(below) {}

  void Opened(Ino ino, const OpenedFile& file);
  void Released(Ino ino, HandleId handle);
  bool IsOpen(Ino ino) const;

  Task<Result<Payload>> Read(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes, std::uint32_t size);
  /// Calls that write to a file come one at a time.
  Task<Result<void>> Write(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                           std::span<const std::byte> data, bool kill_suid_sgid);
  /// What was there when it began is gone when it ends.
  Task<void> Drop(Ino ino);
  /// The inode's lock, for whoever changes its content.
  AsyncMutex& ChangesOf(Ino ino) { return inodes_[ino].changes; }

 private:
  static constexpr std::uint64_t kPageBytes = 4096;
  struct Page {
    AsyncMutex lock;
    std::string bytes;  // less than a whole page where the file ended; none while they are read
  };
  using PagePtr = std::shared_ptr<Page>;
  using Locked = std::pair<PagePtr, AsyncMutex::Guard>;
  struct Inode {
    AsyncMutex changes;
    std::map<std::uint64_t, PagePtr> pages;  // by index
    std::set<HandleId> open;
    std::set<HandleId> direct;
  };

  Task<Locked> LockPage(Ino ino, std::uint64_t index);
  /// Of what is missing from `index` on, up to `last`: locked.
  Task<std::vector<Locked>> LockMissing(Ino ino, std::uint64_t index, std::uint64_t last);
  /// Reads from `index` to `last` what is missing there; the page at `index`, be it dropped by then.
  Task<Result<PagePtr>> Fill(Caller caller, Ino ino, HandleId handle, std::uint64_t index, std::uint64_t last);
  void Forget(Ino ino, std::uint64_t index, const PagePtr& page);

  Vfs& below_;
  std::map<Ino, Inode> inodes_;
};

}  // namespace gabion
