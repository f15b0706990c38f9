#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/env/env.h"
#include "fs-client/vfs/vfs.h"
#include "tests/sim/sim_pages.h"

namespace gabion {

/// The caches of a kernel above a client's Vfs: entries, absent ones too, and attributes are used without asking for as
/// long as the client said, and until it has them dropped. An answer that was asked for before they were dropped is
/// used and not kept, as Linux does it. Of what its own calls change it keeps nothing. If attributes that it takes in
/// tell of another size or time, it drops the file's pages, which takes it a while (FUSE_AUTO_INVAL_DATA); where a file
/// ends it always knows.
class SimKernel final : public Vfs, public CacheInvalidator {
 public:
  /// Both outlive it.
  SimKernel(Vfs& below, Env& env) : below_(below), env_(env), pages_(below) {}

  /// How many it had to ask for.
  std::uint64_t lookups() const { return lookups_; }

  Task<bool> InvalidateData(Ino ino) override;
  Task<bool> InvalidateAttributes(std::vector<Ino> inodes) override;

  Task<Result<Entry>> Lookup(Caller caller, Ino parent, std::string name) override;
  Task<Result<Attributes>> GetAttr(Caller caller, Ino ino, std::optional<HandleId> handle) override;
  Task<Result<Attributes>> SetAttr(Caller caller, Ino ino, AttrChange change) override;
  Task<Result<std::string>> ReadLink(Caller caller, Ino ino) override;
  Task<Result<Entry>> Mknod(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                            std::uint64_t rdev) override;
  Task<Result<Entry>> Mkdir(Caller caller, Ino parent, std::string name, std::uint32_t mode) override;
  Task<Result<Entry>> Symlink(Caller caller, Ino parent, std::string name, std::string target) override;
  Task<Result<Entry>> Link(Caller caller, Ino ino, Ino new_parent, std::string new_name) override;
  Task<Result<void>> Unlink(Caller caller, Ino parent, std::string name) override;
  Task<Result<void>> Rmdir(Caller caller, Ino parent, std::string name) override;
  Task<Result<void>> Rename(Caller caller, Ino parent, std::string name, Ino new_parent, std::string new_name,
                            std::uint32_t flags) override;
  Task<Result<CreatedFile>> Create(Caller caller, Ino parent, std::string name, std::uint32_t mode,
                                   std::uint32_t flags) override;
  Task<Result<CreatedFile>> TmpFile(Caller caller, Ino parent, std::uint32_t mode, std::uint32_t flags) override;
  Task<Result<OpenedFile>> Open(Caller caller, Ino ino, std::uint32_t flags) override;
  Task<Result<Payload>> Read(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                             std::uint32_t size) override;
  Task<Result<void>> Write(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                           std::span<const std::byte> data, bool kill_suid_sgid) override;
  Task<Result<void>> Flush(Caller caller, Ino ino, HandleId handle, std::uint64_t lock_owner) override;
  Task<void> Release(Ino ino, HandleId handle) override;
  Task<Result<void>> Fsync(Caller caller, Ino ino, HandleId handle, bool data_only) override;
  Task<Result<void>> Fallocate(Caller caller, Ino ino, HandleId handle, FallocateMode mode, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override;
  Task<Result<std::uint64_t>> Seek(Caller caller, Ino ino, HandleId handle, std::uint64_t offset_bytes,
                                   SeekWhence whence) override;
  Task<Result<void>> SetLock(Caller caller, Ino ino, HandleId handle, RangeLock lock, bool wait) override;
  Task<Result<void>> Unlock(Caller caller, Ino ino, HandleId handle, RangeLock range) override;
  Task<Result<std::optional<RangeLock>>> TestLock(Caller caller, Ino ino, RangeLock lock) override;
  Task<Result<HandleId>> OpenDir(Caller caller, Ino ino) override;
  Task<Result<std::vector<DirEntryPlus>>> ReadDir(Caller caller, Ino ino, HandleId handle, std::uint64_t offset,
                                                  std::uint32_t max_bytes, bool with_attr) override;
  Task<void> ReleaseDir(Ino ino, HandleId handle) override;
  Task<Result<void>> FsyncDir(Caller caller, Ino ino) override;
  Task<Result<void>> SetXattr(Caller caller, Ino ino, std::string name, std::string value,
                              std::uint32_t flags) override;
  Task<Result<std::string>> GetXattr(Caller caller, Ino ino, std::string name) override;
  Task<Result<std::vector<std::string>>> ListXattr(Caller caller, Ino ino) override;
  Task<Result<void>> RemoveXattr(Caller caller, Ino ino, std::string name) override;
  Task<Result<StatFs>> StatVolume() override;

 private:
  struct CachedAttributes {
    FileAttr attr;
    TimePoint until;
    std::uint64_t version = 0;  // of the last change or invalidation, or answer that was taken in
  };

  struct CachedEntry {
    Ino ino;  // none: there is no such name
    TimePoint until;
    std::uint64_t version = 0;  // of the last change
  };
  using Name = std::pair<Ino, std::string>;

  void Forget(Ino ino);
  Task<void> RunLate();
  /// Takes in an answer that was asked for when version_ was `before`.
  Task<void> Keep(Ino ino, FileAttr attr, std::uint64_t valid_ns, std::uint64_t before);
  void Keep(const Name& name, const Entry& entry, std::uint64_t before);
  /// A change of the name `name` in `parent`, by this kernel's own call.
  template <typename T>
  Task<T> Renaming(Ino parent, std::string name, Task<T> call);
  /// Forgets the inode's attributes when `call` is done.
  template <typename T>
  Task<T> Changing(Ino ino, Task<T> call);
  /// The same of one that changes the content otherwise than by writing.
  template <typename T>
  Task<T> Cutting(Ino ino, Task<T> call);

  Vfs& below_;
  Env& env_;
  std::uint64_t lookups_ = 0;
  std::uint64_t version_ = 0;  // counts changes and invalidations of attributes
  std::map<Ino, CachedAttributes> attributes_;
  std::map<Name, CachedEntry> entries_;
  SimPages pages_;
};

}  // namespace gabion
