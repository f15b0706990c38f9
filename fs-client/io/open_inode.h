#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/coro/async_mutex.h"
#include "common/env/clock.h"
#include "fs-client/io/chunk_table.h"
#include "fs-client/io/dirty_data.h"
#include "fs-client/io/read_stream.h"
#include "fs-client/io/wait_list.h"
#include "fs-client/lease/lease_cache.h"
#include "fs-client/session/client_loop.h"
#include "proto/meta.pb.h"

namespace gabion {

/// What the metaserver last said of a file's content.
struct KnownFile {
  std::uint64_t data_version = 0;
  std::uint64_t size = 0;
  std::uint64_t used_bytes = 0;
  std::uint32_t mode = 0;
  bool has_no_xattrs = false;  // false: it may have some
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::optional<proto::TrimMark> trim;

  static KnownFile From(const proto::Attr& attr);
};

/// Failures of writes that the application was told had succeeded, until it is told otherwise. Counted, so that each
/// handle hears of each once. Guarded by the file's mutex.
struct WriteErrors {
  std::uint64_t count = 0;
  std::uint64_t told = 0;  // so many of them to somebody
  Error last{ErrorCode::kOk, ""};

  void Add(Error error) {
    ++count;
    last = std::move(error);
  }
};

struct OpenHandle;

/// A file (by the metaserver's inode number) that has handles open here, or bytes on their way; shared by all its
/// handles. Any loop: `mutex` guards what is listed under it, in stretches that never suspend.
class OpenInode {
 public:
  explicit OpenInode(Ino ino) : ino_(ino) {}
  OpenInode(const OpenInode&) = delete;
  OpenInode& operator=(const OpenInode&) = delete;

  Ino ino() const { return ino_; }

  /// What a reply's attributes tell about the file's content.
  enum class Verdict {
    kCurrent,    // the kernel's pages are right
    kForeign,    // somebody else changed it: the kernel's pages have to go before the reply may be passed on
    kUndecided,  // it may be our own change that is under way: wait for `changed` and ask again
  };

  // All of these under `mutex`.

  /// Takes note of the attributes in a reply to a look.
  Verdict Observe(const proto::Attr& attr);
  /// The first attributes of a newly opened file, of which the kernel has pages of that version, or none.
  void Adopt(const proto::Attr& attr, bool has_pages);
  /// Before a request that raises data_version, of which one may be under way (`changing` is held): the version before.
  std::uint64_t BeginOwnChange();
  /// The request is over. `reply` is null if it failed. Whether nobody else changed the content meanwhile.
  bool EndOwnChange(std::uint64_t base_version, const proto::Attr* reply);

  /// A change of the chunk at `index` was answered in `epoch` (none: it does not matter any more).
  void NoteUnsynced(std::uint64_t index, ChunkPlace place, Epoch epoch);
  /// Our own cut at (or extension to) `size_bytes` is done: what lay behind it is forgotten.
  void CutTo(std::uint64_t size_bytes);
  /// The kernel gets pages of the file, or writes into some.
  void NotePages();
  struct PageDrop {
    std::uint64_t version = 0;
    std::uint64_t pages_noted = 0;
  };
  PageDrop BeginPageDrop() const { return {known.data_version, pages_noted}; }
  /// The kernel has dropped all that it had when the drop began.
  void EndPageDrop(const PageDrop& drop);

  /// The file's size with what is gathered here.
  std::uint64_t Size() const { return std::max(known.size, dirty.end_bytes()); }
  /// Whether a write by one who is not root may have to take set-id bits or capabilities away first.
  bool MayHavePrivileges() const;
  bool KernelIsCurrent() const { return !kernel_has_pages || kernel_version == known.data_version; }
  /// Forgets read-ahead in [begin, end) of all handles.
  void DropReadAhead(std::uint64_t begin, std::uint64_t end);
  /// The version that is known may be lost, and what the metaserver shows next be older; so may be the places of what
  /// has landed.
  void DoubtVersion(bool lost_power);
  /// The session does not have the write lease that `dirty` was written under. If the commit under way was to give it
  /// back, that may be why: its answer tells.
  void NoteLeaseGone();
  /// It is lost.
  void LoseDirty();
  /// Whether `dirty` is lost, or may be: what is written now is under another lease, and waits until that is settled.
  bool MustSettle() const { return lost || lost_unless_committed; }
  /// Whether the commit under way gives the write lease back.
  bool IsGivingBack() const { return downgrade && own_change; }
  /// `dirty` has become less: if it is empty, there is nothing left to be lost.
  void NoteLessDirty() {
    if (dirty.empty()) lost = false;
  }

  mutable std::mutex mutex;
  KnownFile known;
  bool kernel_has_pages = false;  // or may have
  /// The version under which the oldest of them was read, our own writes included.
  std::uint64_t kernel_version = 0;
  std::uint64_t pages_noted = 0;
  std::uint64_t told_size = 0;  // to the kernel, last
  DirtyData dirty;
  /// How often the content turned out to have been changed elsewhere. What was sent before such a change may have gone
  /// to a chunk that is no longer the file's, or been cut away since: it is sent again before it is committed.
  std::uint64_t foreign_changes = 0;
  std::uint64_t landed_since = UINT64_MAX;      // the smallest foreign_changes at which landed bytes were sent
  std::uint64_t committing_since = UINT64_MAX;  // the same of those that are being committed
  std::int64_t write_time_ns = 0;               // of the newest write
  ChunkTable chunks;
  std::map<std::uint64_t, UnsyncedChunk> unsynced;  // chunks by index, changed by us and not synced since
  bool foreign_unsynced = true;                     // others, or handles closed before, may have written and not synced
  bool meta_unsynced = true;         // where the data is, and how much, may not be durable at the metaserver
  std::uint64_t changes = 0;         // of ours that the metaserver has answered
  std::uint64_t synced_changes = 0;  // so many of them are durable
  /// Privileges were taken away, and nothing was changed since when that is the known ctime.
  std::optional<std::int64_t> unprivileged_ctime_ns;
  WriteErrors errors;
  std::vector<OpenHandle*> handles;
  bool exclusive = false;  // writes wait: the file is being cut or punched
  /// The write lease that `dirty` was written under is lost: what is gathered fails, and writes wait until it has.
  bool lost = false;
  bool lost_unless_committed = false;           // NoteLeaseGone
  bool removed = false;                         // nobody will see `dirty` any more
  std::optional<LeaseCache::Return> downgrade;  // of the write lease, by the commit under way
  unsigned acquiring = 0;                       // writes that have asked for a write lease, and are not taken in yet
  bool own_change = false;
  std::uint64_t version_before = 0;  // of the own change under way
  bool committed = false;            // what `dirty` has in state committing is part of `known`
  WaitList changed;                  // woken by everything that flushes, writers and readers may wait for
  TimePoint dirty_since;             // while in the DirtyList
  bool listed = false;
  bool flushing = false;       // in the background; one at a time
  ClientLoop* home = nullptr;  // where it was written last: background work happens there

  // Across suspensions; taken in this order, none under `mutex`.

  AsyncMutex syncing;   // an fsync that finds nothing unsynced must not overtake the one that is syncing it
  AsyncMutex changing;  // requests that raise data_version, one at a time
  AsyncMutex placing;   // allocation of chunks and trimming

 private:
  void Refresh(const proto::Attr& attr);

  const Ino ino_;
};
using OpenInodePtr = std::shared_ptr<OpenInode>;

/// An open file of an application.
struct OpenHandle {
  OpenHandle(HandleId handle_id, OpenInodePtr file, std::uint32_t open_flags)
      : id(handle_id), inode(std::move(file)), flags(open_flags) {}

  /// Whether the kernel reads and writes past its page cache. What is appended has to: through the cache the kernel
  /// splits a write at the end of a page that it has not read, and others may append between the two requests.
  bool IsDirect() const;

  const HandleId id;
  const OpenInodePtr inode;
  const std::uint32_t flags;            // of open(2)
  std::atomic<bool> lost = false;       // the metaserver has forgotten it, and the file is gone
  std::atomic<bool> lock_lost = false;  // another client has taken a lock that was held through it
  /// With what it was opened by, the kernel drops its pages. It has when it uses the handle.
  bool drops_pages = false;
  std::atomic<bool> in_use = false;

  // Under the inode's mutex.
  std::uint64_t errors_seen_by_write = 0;  // of WriteErrors::count
  std::uint64_t errors_seen_by_sync = 0;
  ReadStream stream;
};
using OpenHandlePtr = std::shared_ptr<OpenHandle>;

}  // namespace gabion
