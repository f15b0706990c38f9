#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "fs-client/io/open_inode.h"
#include "fs-client/session/meta_session.h"
#include "fs-client/vfs/kernel_versions.h"
#include "fs-client/vfs/own_opens.h"

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

  /// So many removed files, and failures that nobody was told of, are remembered; then the oldest are forgotten.
  static constexpr std::size_t kMaxRemembered = 1024;

  /// A request that opens `handle` is about to be sent: a session that is resumed meanwhile names it. Ends with Finish
  /// or Abandon. False, and nothing is to be sent: the file was removed, and what was written to it is gone.
  bool Announce(HandleId handle, Ino ino);
  /// The metaserver opened it, with these attributes. `fresh`: the file was just made.
  Opened Finish(HandleId handle, const proto::Attr& attr, std::uint32_t flags, bool fresh);
  void Abandon(HandleId handle);

  /// Those of the handles that the metaserver does not know.
  OwnOpens& own() { return own_; }

  /// Null if there is no such handle.
  OpenHandlePtr Find(HandleId handle) const;
  OpenInodePtr FindInode(Ino ino) const;
  /// The file's last name is gone, no other client has it open, and this one by what the metaserver knows under
  /// `open_there`. Null if something here has or may still get it open, or there is nothing of it here; else it is
  /// marked as removed, and nobody can open it any more.
  OpenInodePtr MarkRemoved(Ino ino, std::span<const HandleId> open_there);
  /// Takes the handle out of the tables; the file with its last one, unless there is something to be written.
  void Close(const OpenHandlePtr& handle);
  /// Takes a closed file of which nothing is left to be written out of the tables.
  void Retire(const OpenInodePtr& inode);

  /// Calls on those that are open fail with kStale from now on.
  void MarkGone(const std::vector<HandleId>& handles);
  /// Calls on the handle fail with kIo from now on.
  void MarkLockLost(HandleId handle);

  std::vector<proto::OpenHandle> OpenHandles() override;
  void MarkLost(const std::vector<HandleId>& handles) override;
  void DoubtVersions(bool lost_power) override;
  std::vector<proto::WrittenFile> WrittenFiles() override;
  void LoseWrites(const std::vector<Ino>& inodes) override;

 private:
  void RemoveUnused(OpenInode& inode);
  void KeepUntold(const OpenInode& inode);

  struct Slot {
    Ino ino;
    OpenHandlePtr handle;     // null while it is being opened
    bool named_open = false;  // when OpenHandles was asked last it was open
  };

  std::atomic<std::uint64_t> next_handle_ = 1;
  KernelVersions closed_;
  OwnOpens own_;

  mutable std::mutex handles_mutex_;
  std::unordered_map<HandleId, Slot> handles_;
  std::unordered_set<HandleId> opening_;  // of them, those that are announced only
  std::unordered_set<Ino> removed_;
  std::deque<Ino> removed_order_;  // the oldest first

  mutable std::mutex inodes_mutex_;  // after handles_mutex_, before an inode's own
  std::unordered_map<Ino, OpenInodePtr> inodes_;
  std::unordered_map<Ino, Error> untold_;  // failures of files that were closed before
  std::deque<Ino> untold_order_;           // the oldest first; also some that have been told since
};

}  // namespace gabion
