#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "fs-client/io/open_inode.h"
#include "fs-client/session/meta_session.h"
#include "fs-client/vfs/kernel_versions.h"

namespace gabion {

/// The open files and their handles, and the closed ones of which something is still to be brought to the servers. Any
/// loop. Inode numbers are the metaserver's.
class OpenFiles final : public HandleRegistry {
 public:
  struct Opened {
    OpenHandlePtr handle;
    bool keep_cache = false;   // the kernel's pages are right
    bool stale_pages = false;  // another handle's reader may still see old ones: they have to go first
  };

  /// A number that no other handle of this client has, of files and directories.
  HandleId NextHandle() { return HandleId(next_handle_.fetch_add(1, std::memory_order_relaxed)); }

  /// A request that opens `handle` is about to be sent: a session that is resumed meanwhile names it. Ends with Finish
  /// or Abandon.
  void Announce(HandleId handle, Ino ino);
  /// The metaserver opened it, with these attributes. `fresh`: the file was just made.
  Opened Finish(HandleId handle, const proto::Attr& attr, std::uint32_t flags, bool fresh);
  void Abandon(HandleId handle);

  /// Null if there is no such handle.
  OpenHandlePtr Find(HandleId handle) const;
  OpenInodePtr FindInode(Ino ino) const;
  /// Takes the handle out of the tables; the file with its last one, unless there is something to be written.
  void Close(const OpenHandlePtr& handle);
  /// Takes a closed file of which nothing is left to be written out of the tables.
  void Retire(const OpenInodePtr& inode);

  /// Calls on the handle fail with kIo from now on.
  void MarkLockLost(HandleId handle);

  std::vector<proto::OpenHandle> OpenHandles() override;
  void MarkLost(const std::vector<HandleId>& handles) override;
  void DoubtVersions() override;
  std::vector<Ino> WrittenInodes() override;
  void LoseWrites(const std::vector<Ino>& inodes) override;

 private:
  void RemoveUnused(OpenInode& inode);

  struct Slot {
    Ino ino;
    OpenHandlePtr handle;     // null while it is being opened
    bool named_open = false;  // when OpenHandles was asked last it was open
  };

  std::atomic<std::uint64_t> next_handle_ = 1;
  KernelVersions closed_;

  mutable std::mutex handles_mutex_;
  std::unordered_map<HandleId, Slot> handles_;

  mutable std::mutex inodes_mutex_;  // before an inode's own
  std::unordered_map<Ino, OpenInodePtr> inodes_;
};

}  // namespace gabion
