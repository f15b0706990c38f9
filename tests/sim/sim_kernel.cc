#include "tests/sim/sim_kernel.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace gabion {
namespace {

constexpr std::uint32_t kRenameExchange = 2;  // of renameat2(2)

}  // namespace

Task<bool> SimKernel::InvalidateData(Ino ino) {
  Forget(ino);
  co_await pages_.Drop(ino);
  co_return true;
}

/// Of inodes that it does not know it notes nothing.
Task<bool> SimKernel::InvalidateAttributes(std::vector<Ino> inodes) {
  for (Ino ino : inodes) {
    if (attributes_.contains(ino)) Forget(ino);
  }
  co_return true;
}

void SimKernel::Forget(Ino ino) {
  CachedAttributes& cached = attributes_[ino];
  cached.until = TimePoint();
  cached.version = ++version_;
}

template <typename T>
Task<T> SimKernel::Changing(Ino ino, Task<T> call) {
  T result = co_await std::move(call);
  Forget(ino);
  co_return result;
}

template <typename T>
Task<T> SimKernel::Cutting(Ino ino, Task<T> call) {
  const AsyncMutex::Guard guard = co_await pages_.ChangesOf(ino).Lock();
  T result = co_await std::move(call);
  Forget(ino);
  co_await pages_.Drop(ino);
  co_return result;
}

template <typename T>
Task<T> SimKernel::Renaming(Ino parent, std::string name, Task<T> call) {
  T result = co_await std::move(call);
  CachedEntry& cached = entries_[{parent, name}];
  cached.until = TimePoint();
  cached.version = ++version_;
  Forget(parent);
  co_return result;
}

Task<void> SimKernel::Keep(Ino ino, FileAttr attr, std::uint64_t valid_ns, std::uint64_t before) {
  CachedAttributes& cached = attributes_[ino];
  if (cached.version > before) co_return;
  const bool is_other = cached.attr.size != attr.size || cached.attr.mtime_ns != attr.mtime_ns;
  cached.attr = attr;
  cached.until = env_.clock.Now() + Duration(static_cast<std::int64_t>(valid_ns));
  cached.version = ++version_;
  if (!is_other || !S_ISREG(attr.mode)) co_return;
  if (env_.Buggified("kernel.late_drop")) co_await env_.clock.SleepFor(std::chrono::milliseconds(20));
  co_await pages_.Drop(ino);
}

void SimKernel::Keep(const Name& name, const Entry& entry, std::uint64_t before) {
  CachedEntry& cached = entries_[name];
  if (entry.validity.entry_ns == 0 || cached.version > before) return;
  cached.ino = entry.attr.ino;
  cached.until = env_.clock.Now() + Duration(static_cast<std::int64_t>(entry.validity.entry_ns));
}

/// The thread that asked may have to wait for a CPU before it takes in the answer.
Task<void> SimKernel::RunLate() {
  if (env_.Buggified("kernel.late_entry")) co_await env_.clock.SleepFor(std::chrono::milliseconds(95));
}

Task<Result<Entry>> SimKernel::Lookup(Caller caller, Ino parent, std::string name) {
  const Name key{parent, name};
  Entry entry;
  auto found = entries_.find(key);
  if (found != entries_.end() && env_.clock.Now() < found->second.until) {
    entry.attr.ino = found->second.ino;
  } else {
    ++lookups_;
    const std::uint64_t before = version_;
    CO_TRY_ASSIGN(entry, co_await below_.Lookup(caller, parent, std::move(name)));
    // It needs memory for something else.
    if (!pages_.IsOpen(entry.attr.ino) && env_.Buggified("kernel.drop_inode")) attributes_.erase(entry.attr.ino);
    co_await RunLate();
    Keep(key, entry, before);
    if (entry.attr.ino) co_await Keep(entry.attr.ino, entry.attr, entry.validity.attr_ns, before);
  }
  if (!entry.attr.ino) co_return Error(ErrorCode::kNotFound, "no such name");
  // The attributes that it knows are what its callers get.
  Result<Attributes> attributes = co_await GetAttr(caller, entry.attr.ino, std::nullopt);
  if (attributes) entry.attr = attributes->attr;
  co_return entry;
}

Task<Result<Attributes>> SimKernel::GetAttr(Caller caller, Ino ino, std::optional<HandleId> handle) {
  auto found = attributes_.find(ino);
  if (found != attributes_.end() && env_.clock.Now() < found->second.until) co_return Attributes{found->second.attr, 0};
  const std::uint64_t before = version_;
  Result<Attributes> attributes = co_await below_.GetAttr(caller, ino, handle);
  if (attributes) co_await Keep(ino, attributes->attr, attributes->valid_ns, before);
  co_return attributes;
}

Task<Result<Attributes>> SimKernel::SetAttr(Caller caller, Ino ino, AttrChange change) {
  if (change.size) return Cutting(ino, below_.SetAttr(caller, ino, std::move(change)));
  return Changing(ino, below_.SetAttr(caller, ino, std::move(change)));
}
Task<Result<std::string>> SimKernel::ReadLink(Caller caller, Ino ino) {
  return below_.ReadLink(caller, ino);
}
Task<Result<Entry>> SimKernel::Mknod(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                     std::uint64_t rdev) {
  return Renaming(parent, name, below_.Mknod(caller, parent, name, mode, rdev));
}
Task<Result<Entry>> SimKernel::Mkdir(Caller caller, Ino parent, std::string name, std::uint32_t mode) {
  return Renaming(parent, name, below_.Mkdir(caller, parent, name, mode));
}
Task<Result<Entry>> SimKernel::Symlink(Caller caller, Ino parent, std::string name, std::string target) {
  return Renaming(parent, name, below_.Symlink(caller, parent, name, std::move(target)));
}
Task<Result<Entry>> SimKernel::Link(Caller caller, Ino ino, Ino new_parent, std::string new_name) {
  return Changing(ino, Renaming(new_parent, new_name, below_.Link(caller, ino, new_parent, new_name)));
}
Task<Result<void>> SimKernel::Unlink(Caller caller, Ino parent, std::string name) {
  return Renaming(parent, name, below_.Unlink(caller, parent, name));
}
Task<Result<void>> SimKernel::Rmdir(Caller caller, Ino parent, std::string name) {
  return Renaming(parent, name, below_.Rmdir(caller, parent, name));
}
Task<Result<void>> SimKernel::Rename(Caller caller, Ino parent, std::string name, Ino new_parent, std::string new_name,
                                     std::uint32_t flags) {
  Result<void> done = co_await below_.Rename(caller, parent, name, new_parent, new_name, flags);
  // What it moves is valid as long as before.
  CachedEntry& from = entries_[{parent, name}];
  CachedEntry& to = entries_[{new_parent, new_name}];
  if (done) std::swap(from, to);
  if (done && flags != kRenameExchange) from.until = TimePoint();
  from.version = to.version = ++version_;
  Forget(parent);
  Forget(new_parent);
  co_return done;
}

Task<Result<CreatedFile>> SimKernel::Create(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                            std::uint32_t flags) {
  Result<CreatedFile> created = co_await Renaming(parent, name, below_.Create(caller, parent, name, mode, flags));
  if (created) pages_.Opened(created->entry.attr.ino, created->file);
  if (created && !created->file.keep_cache) co_await pages_.Drop(created->entry.attr.ino);
  co_return created;
}
Task<Result<CreatedFile>> SimKernel::TmpFile(Caller caller, Ino parent, std::uint32_t mode, std::uint32_t flags) {
  Result<CreatedFile> created = co_await below_.TmpFile(caller, parent, mode, flags);
  if (created) pages_.Opened(created->entry.attr.ino, created->file);
  co_return created;
}
Task<Result<OpenedFile>> SimKernel::Open(Caller caller, Ino ino, std::uint32_t flags) {
  Result<OpenedFile> opened = co_await Changing(ino, below_.Open(caller, ino, flags));
  if (!opened) co_return opened.error();
  pages_.Opened(ino, *opened);
  if (opened->keep_cache && (flags & O_TRUNC) == 0) co_return opened;
  if (env_.Buggified("kernel.late_drop")) co_await env_.clock.SleepFor(std::chrono::milliseconds(20));
  co_await pages_.Drop(ino);
  co_return opened;
}
Task<Result<Payload>> SimKernel::Read(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                      std::uint32_t size) {
  return pages_.Read(caller, ino, handle, offset_bytes, size);
}
Task<Result<void>> SimKernel::Write(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                    std::span<const std::byte> data, bool kill_suid_sgid) {
  const AsyncMutex::Guard guard = co_await pages_.ChangesOf(ino).Lock();
  co_return co_await Changing(ino, pages_.Write(caller, ino, handle, offset_bytes, data, kill_suid_sgid));
}
Task<Result<void>> SimKernel::Flush(Caller caller, Ino ino, HandleId handle, std::uint64_t lock_owner) {
  return below_.Flush(caller, ino, handle, lock_owner);
}
Task<Result<void>> SimKernel::SetLock(Caller caller, Ino ino, HandleId handle, RangeLock lock, bool wait) {
  return below_.SetLock(caller, ino, handle, lock, wait);
}
Task<Result<void>> SimKernel::Unlock(Caller caller, Ino ino, HandleId handle, RangeLock range) {
  return below_.Unlock(caller, ino, handle, range);
}
Task<Result<std::optional<RangeLock>>> SimKernel::TestLock(Caller caller, Ino ino, RangeLock lock) {
  return below_.TestLock(caller, ino, lock);
}
Task<void> SimKernel::Release(Ino ino, HandleId handle) {
  pages_.Released(ino, handle);
  return below_.Release(ino, handle);
}
Task<Result<void>> SimKernel::Fsync(Caller caller, Ino ino, HandleId handle, bool data_only) {
  return below_.Fsync(caller, ino, handle, data_only);
}
Task<Result<void>> SimKernel::Fallocate(Caller caller, Ino ino, HandleId handle, FallocateMode mode,
                                        std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  return Cutting(ino, below_.Fallocate(caller, ino, handle, mode, offset_bytes, length_bytes));
}
Task<Result<std::uint64_t>> SimKernel::Seek(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                            SeekWhence whence) {
  return below_.Seek(caller, ino, handle, offset_bytes, whence);
}
Task<Result<HandleId>> SimKernel::OpenDir(Caller caller, Ino ino) {
  return below_.OpenDir(caller, ino);
}

Task<Result<std::vector<DirEntryPlus>>> SimKernel::ReadDir(Caller caller, Ino ino, HandleId handle,
                                                           std::uint64_t offset, std::uint32_t max_bytes,
                                                           bool with_attr) {
  const std::uint64_t before = version_;
  auto listed = co_await below_.ReadDir(caller, ino, handle, offset, max_bytes, with_attr);
  if (!listed) co_return listed.error();
  co_await RunLate();
  for (const DirEntryPlus& item : *listed) {
    if (!item.entry) continue;
    Keep(Name{ino, item.name}, *item.entry, before);
    co_await Keep(item.ino, item.entry->attr, item.entry->validity.attr_ns, before);
  }
  co_return listed;
}

Task<void> SimKernel::ReleaseDir(Ino ino, HandleId handle) {
  return below_.ReleaseDir(ino, handle);
}
Task<Result<void>> SimKernel::FsyncDir(Caller caller, Ino ino) {
  return below_.FsyncDir(caller, ino);
}
Task<Result<void>> SimKernel::SetXattr(Caller caller, Ino ino, std::string name, std::string value,
                                       std::uint32_t flags) {
  return Changing(ino, below_.SetXattr(caller, ino, std::move(name), std::move(value), flags));
}
Task<Result<std::string>> SimKernel::GetXattr(Caller caller, Ino ino, std::string name) {
  return below_.GetXattr(caller, ino, std::move(name));
}
Task<Result<std::vector<std::string>>> SimKernel::ListXattr(Caller caller, Ino ino) {
  return below_.ListXattr(caller, ino);
}
Task<Result<void>> SimKernel::RemoveXattr(Caller caller, Ino ino, std::string name) {
  return Changing(ino, below_.RemoveXattr(caller, ino, std::move(name)));
}
Task<Result<StatFs>> SimKernel::StatVolume() {
  return below_.StatVolume();
}

}  // namespace gabion
