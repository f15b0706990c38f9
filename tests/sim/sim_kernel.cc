#include "tests/sim/sim_kernel.h"

namespace gabion {

Task<void> SimKernel::InvalidateData(Ino ino) {
  Forget(ino);
  co_return;
}

Task<bool> SimKernel::InvalidateAttributes(std::vector<Ino> inodes) {
  for (Ino ino : inodes) Forget(ino);
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

Task<Result<Entry>> SimKernel::Lookup(Caller caller, Ino parent, std::string name) {
  Result<Entry> entry = co_await below_.Lookup(caller, parent, std::move(name));
  if (!entry) co_return entry.error();
  // The attributes that it knows are what its callers get.
  Result<Attributes> attributes = co_await GetAttr(caller, entry->attr.ino, std::nullopt);
  if (attributes) entry->attr = attributes->attr;
  co_return entry;
}

Task<Result<Attributes>> SimKernel::GetAttr(Caller caller, Ino ino, std::optional<HandleId> handle) {
  auto found = attributes_.find(ino);
  if (found != attributes_.end() && clock_.Now() < found->second.until) co_return Attributes{found->second.attr, 0};
  const std::uint64_t before = version_;
  Result<Attributes> attributes = co_await below_.GetAttr(caller, ino, handle);
  if (!attributes || attributes->valid_ns == 0) co_return attributes;
  CachedAttributes& cached = attributes_[ino];
  if (cached.version > before) co_return attributes;
  cached.attr = attributes->attr;
  cached.until = clock_.Now() + Duration(static_cast<std::int64_t>(attributes->valid_ns));
  co_return attributes;
}

Task<Result<Attributes>> SimKernel::SetAttr(Caller caller, Ino ino, AttrChange change) {
  return Changing(ino, below_.SetAttr(caller, ino, std::move(change)));
}
Task<Result<std::string>> SimKernel::ReadLink(Caller caller, Ino ino) {
  return below_.ReadLink(caller, ino);
}
Task<Result<Entry>> SimKernel::Mknod(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                     std::uint64_t rdev) {
  return Changing(parent, below_.Mknod(caller, parent, std::move(name), mode, rdev));
}
Task<Result<Entry>> SimKernel::Mkdir(Caller caller, Ino parent, std::string name, std::uint32_t mode) {
  return Changing(parent, below_.Mkdir(caller, parent, std::move(name), mode));
}
Task<Result<Entry>> SimKernel::Symlink(Caller caller, Ino parent, std::string name, std::string target) {
  return Changing(parent, below_.Symlink(caller, parent, std::move(name), std::move(target)));
}
Task<Result<Entry>> SimKernel::Link(Caller caller, Ino ino, Ino new_parent, std::string new_name) {
  return Changing(ino, Changing(new_parent, below_.Link(caller, ino, new_parent, std::move(new_name))));
}
Task<Result<void>> SimKernel::Unlink(Caller caller, Ino parent, std::string name) {
  return Changing(parent, below_.Unlink(caller, parent, std::move(name)));
}
Task<Result<void>> SimKernel::Rmdir(Caller caller, Ino parent, std::string name) {
  return Changing(parent, below_.Rmdir(caller, parent, std::move(name)));
}
Task<Result<void>> SimKernel::Rename(Caller caller, Ino parent, std::string name, Ino new_parent, std::string new_name,
                                     std::uint32_t flags) {
  Task<Result<void>> call = below_.Rename(caller, parent, std::move(name), new_parent, std::move(new_name), flags);
  return Changing(parent, Changing(new_parent, std::move(call)));
}
Task<Result<CreatedFile>> SimKernel::Create(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                            std::uint32_t flags) {
  return Changing(parent, below_.Create(caller, parent, std::move(name), mode, flags));
}
Task<Result<CreatedFile>> SimKernel::TmpFile(Caller caller, Ino parent, std::uint32_t mode, std::uint32_t flags) {
  return below_.TmpFile(caller, parent, mode, flags);
}
Task<Result<OpenedFile>> SimKernel::Open(Caller caller, Ino ino, std::uint32_t flags) {
  return Changing(ino, below_.Open(caller, ino, flags));
}
Task<Result<Payload>> SimKernel::Read(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                      std::uint32_t size) {
  return below_.Read(caller, ino, handle, offset_bytes, size);
}
Task<Result<void>> SimKernel::Write(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                    std::span<const std::byte> data, bool kill_suid_sgid) {
  return Changing(ino, below_.Write(caller, ino, handle, offset_bytes, data, kill_suid_sgid));
}
Task<Result<void>> SimKernel::Flush(Caller caller, Ino ino, HandleId handle) {
  return below_.Flush(caller, ino, handle);
}
Task<void> SimKernel::Release(Ino ino, HandleId handle) {
  return below_.Release(ino, handle);
}
Task<Result<void>> SimKernel::Fsync(Caller caller, Ino ino, HandleId handle, bool data_only) {
  return below_.Fsync(caller, ino, handle, data_only);
}
Task<Result<void>> SimKernel::Fallocate(Caller caller, Ino ino, HandleId handle, FallocateMode mode,
                                        std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  return Changing(ino, below_.Fallocate(caller, ino, handle, mode, offset_bytes, length_bytes));
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
  return below_.ReadDir(caller, ino, handle, offset, max_bytes, with_attr);
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
