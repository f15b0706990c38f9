#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/coro/async_mutex.h"
#include "fs-client/lease/lease_cache.h"
#include "fs-client/vfs/vfs.h"
#include "proto/meta.pb.h"

namespace gabion {

/// The place of one directory handle in its listing. The kernel names places by number, the metaserver by the name
/// before them, so that a listing is whole whatever is made and removed meanwhile; this keeps one page of names, and
/// every so many entries a name to start from when the kernel seeks. Guarded by `reading`.
///
/// Entry k of the listing lies between the offsets k + kFirstEntry and the next.
class OpenDirectory {
 public:
  /// Offsets 0 and 1 are those before "." and "..".
  static constexpr std::uint64_t kFirstEntry = 2;
  /// A name is remembered for every so many entries.
  static constexpr std::uint64_t kMarkEvery = 1024;

  struct Cursor {
    std::uint64_t entry = 0;  // the listing goes on with this one
    std::string after_name;   // "": from the start
  };

  explicit OpenDirectory(proto::Attr attr) : ino(attr.ino()), attr_when_opened(std::move(attr)) {}

  const Ino ino;  // the metaserver's number
  const proto::Attr attr_when_opened;
  AsyncMutex reading;
  bool wants_attr = false;                         // the kernel asked for attributes with this listing's first names
  bool leased = true;                              // the last attributes came with leases
  std::uint64_t listing = LeaseCache::kNoListing;  // LearnPage's word for the last page that the metaserver gave

  /// Begins anew, as rewinddir(3) does.
  void Restart();
  /// The names from `entry` on as far as they are here; null if the page has nothing of it. An empty page at the end of
  /// the listing counts as having it.
  const proto::DirEntry* Find(std::uint64_t entry) const;
  bool AtEnd(std::uint64_t entry) const { return ended_ && entry >= first_ + entries_.size(); }
  /// Where to go on reading to get to `entry`: right before it if its neighbour is known.
  Cursor NearestBefore(std::uint64_t entry) const;
  /// What LearnPage is to be told of the page from there on.
  std::uint64_t ListingAt(const Cursor& cursor) const;
  /// What the metaserver answered to that, or would have.
  void Adopt(const Cursor& cursor, proto::ReadDirReply reply);

 private:
  std::uint64_t first_ = 0;  // the number of entries_[0]
  std::vector<proto::DirEntry> entries_;
  bool ended_ = false;
  std::map<std::uint64_t, std::string> marks_;  // entry -> the name before it
};
using OpenDirectoryPtr = std::shared_ptr<OpenDirectory>;

/// The open directory handles. Any loop.
class OpenDirectories {
 public:
  void Add(HandleId handle, OpenDirectoryPtr directory);
  /// Null if there is no such handle.
  OpenDirectoryPtr Find(HandleId handle) const;
  /// One of the handles of that directory; null if there is none.
  OpenDirectoryPtr FindByIno(Ino ino) const;
  void Remove(HandleId handle);

 private:
  mutable std::mutex mutex_;
  std::unordered_map<HandleId, OpenDirectoryPtr> directories_;
};

}  // namespace gabion
