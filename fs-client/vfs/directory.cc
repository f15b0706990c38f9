#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "fs-client/vfs/volume_vfs.h"

// Listing directories.

namespace gabion {
namespace {

// A page, which is kept until the kernel has taken it.
constexpr std::uint32_t kPageEntries = 1024;
// Attributes without leases are old a moment later, so only what fits the kernel's buffer is asked for then. That is at
// least so many bytes an entry: fuse_direntplus with a short name.
constexpr std::uint32_t kDirentPlusBytes = 160;
constexpr std::uint32_t kDirentBytes = 32;
// The kernel asks for attributes with the first names, and then only if it sees that they are looked up, which `ls -l`
// does when it has all names. So the first ones come with theirs; of a larger directory it is the kernel's say.
constexpr std::uint64_t kEntriesWithAttr = 4096;

}  // namespace

/// The metaserver is not told: a directory that was removed while it was open is empty. Whether the caller may list it
/// the kernel has checked.
Task<Result<HandleId>> VolumeVfs::OpenDir(Caller caller, Ino ino) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  CO_TRY_ASSIGN(LeaseCache::Known known, co_await LoadAttr(loop, caller, ToServer(ino)));
  const HandleId handle = parts_.files.NextHandle();
  directories_.Add(handle, std::make_shared<OpenDirectory>(std::move(known.attr)));
  co_return handle;
}

Task<void> VolumeVfs::ReleaseDir(Ino, HandleId handle) {
  directories_.Remove(handle);
  co_return;
}

Task<Result<std::vector<DirEntryPlus>>> VolumeVfs::ReadDir(Caller caller, Ino, HandleId handle, std::uint64_t offset,
                                                           std::uint32_t max_bytes, bool with_attr) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  OpenDirectoryPtr directory = directories_.Find(handle);
  if (directory == nullptr) co_return Error(ErrorCode::kStale, "there is no such directory handle");
  AsyncMutex::Guard guard = co_await directory->reading.Lock();
  if (offset == 0) directory->Restart();
  directory->wants_attr = directory->wants_attr || with_attr;
  if (offset < OpenDirectory::kFirstEntry) co_return co_await ListDots(loop, directory, offset);

  std::uint64_t entry = offset - OpenDirectory::kFirstEntry;
  std::vector<DirEntryPlus> listed;
  if (directory->AtEnd(entry)) co_return listed;
  const proto::DirEntry* first = directory->Find(entry);
  const LeaseCache& cache = parts_.leases.cache();
  const bool load = first == nullptr || (with_attr && !cache.Find(Ino(first->ino()), loop->Now()));
  if (load) {
    const bool load_attr = with_attr || (directory->wants_attr && entry < kEntriesWithAttr);
    const bool whole_page = !with_attr || directory->leased;
    std::uint32_t max_entries = whole_page ? kPageEntries : std::max(max_bytes / kDirentPlusBytes, 1u);
    Result<void> loaded = co_await LoadEntries(loop, caller.pid, directory, entry, max_entries, load_attr);
    if (!loaded && loaded.error().code() == ErrorCode::kStale) co_return listed;  // removed: it has no entries
    if (!loaded) co_return loaded.error();
  }
  std::uint64_t bytes = 0;
  while (const proto::DirEntry* found = directory->Find(entry)) {
    bytes += found->name().size() + (with_attr ? kDirentPlusBytes : kDirentBytes);
    if (bytes > max_bytes && !listed.empty()) break;
    ++entry;
    listed.push_back(ToDirEntry(*found, entry + OpenDirectory::kFirstEntry));
    if (with_attr) listed.back().entry = EntryOf(loop, directory->ino, *found, load);
  }
  co_return listed;
}

/// Has the page with `entry` on, as far as the directory goes.
Task<Result<void>> VolumeVfs::LoadEntries(ClientLoop* loop, std::uint32_t pid, OpenDirectoryPtr directory,
                                          std::uint64_t entry, std::uint32_t max_entries, bool with_attr) {
  // A handle is good for listing whoever has it by now, and whatever the directory's mode is.
  Caller lister;
  lister.pid = pid;
  LeaseCache& cache = parts_.leases.cache();
  for (;;) {
    OpenDirectory::Cursor cursor = directory->NearestBefore(entry);
    bool there = cursor.entry == entry;
    proto::ReadDirRequest request;
    request.set_ino(directory->ino.value());
    request.set_after_name(cursor.after_name);
    request.set_max_entries(there ? max_entries : kPageEntries);  // on the way to a place that the kernel seeks
    if (loop->env().Buggified("client.short_page")) request.set_max_entries(1);
    request.set_with_attr(there && with_attr);
    std::optional<proto::ReadDirReply> page =
        cache.ListEntries(directory->ino, cursor.after_name, request.max_entries(), request.with_attr(), loop->Now());
    if (page) {
      directory->listing = LeaseCache::kNoListing;  // a part of it the metaserver has not shown
    } else {
      CO_TRY_ASSIGN(page, co_await parts_.meta.Read<proto::ReadDirReply>(loop, lister, proto::METHOD_READ_DIR,
                                                                         std::move(request)));
      directory->listing = cache.LearnPage(*page, directory->ino, directory->ListingAt(cursor), loop->Now());
      if (there && with_attr && page->entries_size() > 0) directory->leased = page->entries(0).attr().leased();
    }
    directory->Adopt(cursor, std::move(*page));
    if (there || directory->AtEnd(entry)) co_return Result<void>();
  }
}

DirEntryPlus VolumeVfs::ToDirEntry(const proto::DirEntry& found, std::uint64_t next_offset) {
  DirEntryPlus entry;
  entry.name = found.name();
  entry.ino = parts_.root.ToKernel(Ino(found.ino()));
  entry.type_mode = found.mode();
  entry.next_offset = next_offset;
  return entry;
}

/// What the kernel may be shown beside the name: of a page that was loaded before, only what is known to be so still.
std::optional<Entry> VolumeVfs::EntryOf(ClientLoop* loop, Ino directory, const proto::DirEntry& found,
                                        bool just_loaded) {
  const LeaseCache& cache = parts_.leases.cache();
  const Ino ino(found.ino());
  if (!found.has_attr()) return std::nullopt;
  if (!just_loaded && cache.FindEntry(directory, found.name(), loop->Now()) != ino) return std::nullopt;
  std::optional<LeaseCache::Known> known = cache.Find(ino, loop->Now());
  if (!known && just_loaded) known = LeaseCache::Known{found.attr(), 0};
  // What is not settled at once is left to be looked up.
  std::optional<FileAttr> attr = known ? TryPresent(known->attr) : std::nullopt;
  if (!attr) return std::nullopt;
  return Entry{*attr, ValidityOf(loop, directory, found.name(), ino, known->number, LeaseCache::Beside::kListing)};
}

Task<Result<std::vector<DirEntryPlus>>> VolumeVfs::ListDots(ClientLoop* loop, OpenDirectoryPtr directory,
                                                            std::uint64_t offset) {
  std::vector<DirEntryPlus> dots;
  if (offset == 0) dots.push_back({".", parts_.root.ToKernel(directory->ino), S_IFDIR, 1, std::nullopt});
  Ino parent = directory->ino;
  if (!parts_.root.IsRoot(parts_.root.ToKernel(directory->ino))) {
    Result<LeaseCache::Known> known = co_await LoadAttr(loop, kOwnWork, directory->ino);
    if (known) parent = Ino(known->attr.parent());
  }
  dots.push_back({"..", parts_.root.ToKernel(parent), S_IFDIR, OpenDirectory::kFirstEntry, std::nullopt});
  co_return dots;
}

Task<Result<void>> VolumeVfs::FsyncDir(Caller caller, Ino) {
  ClientLoop* loop = LoopOf(co_await asio::this_coro::executor);
  UnsyncedNames& names = parts_.session.names();
  const std::uint64_t changes = names.changes();
  proto::SyncMetaRequest request;
  auto reply =
      co_await parts_.meta.Read<proto::SyncMetaReply>(loop, caller, proto::METHOD_SYNC_META, std::move(request));
  if (!reply) co_return reply.error();
  names.NoteSynced(changes);
  if (names.TakeLoss())
    co_return Error(ErrorCode::kIo, "the metaserver lost its power before changes of names were synced");
  co_return Result<void>();
}

}  // namespace gabion
