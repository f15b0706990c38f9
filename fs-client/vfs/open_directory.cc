#include "fs-client/vfs/open_directory.h"

#include <iterator>
#include <utility>

namespace gabion {

void OpenDirectory::Restart() {
  first_ = 0;
  entries_.clear();
  ended_ = false;
  marks_.clear();
  wants_attr = false;
  listing = LeaseCache::kNoListing;
}

const proto::DirEntry* OpenDirectory::Find(std::uint64_t entry) const {
  if (entry < first_ || entry - first_ >= entries_.size()) return nullptr;
  return &entries_[entry - first_];
}

OpenDirectory::Cursor OpenDirectory::NearestBefore(std::uint64_t entry) const {
  if (entry == 0) return {};
  if (const proto::DirEntry* neighbour = Find(entry - 1)) return {entry, neighbour->name()};
  auto mark = marks_.upper_bound(entry);
  if (mark == marks_.begin()) return {};
  --mark;
  return {mark->first, mark->second};
}

std::uint64_t OpenDirectory::ListingAt(const Cursor& cursor) const {
  if (cursor.entry == 0) return LeaseCache::kNewListing;
  return cursor.entry == first_ + entries_.size() ? listing : LeaseCache::kNoListing;
}

void OpenDirectory::Adopt(const Cursor& cursor, proto::ReadDirReply reply) {
  first_ = cursor.entry;
  entries_.assign(std::make_move_iterator(reply.mutable_entries()->begin()),
                  std::make_move_iterator(reply.mutable_entries()->end()));
  ended_ = reply.end() || entries_.empty();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::uint64_t next = first_ + i + 1;
    if (next % kMarkEvery == 0) marks_[next] = entries_[i].name();
  }
}

void OpenDirectories::Add(HandleId handle, OpenDirectoryPtr directory) {
  std::lock_guard lock(mutex_);
  directories_[handle] = std::move(directory);
}

OpenDirectoryPtr OpenDirectories::Find(HandleId handle) const {
  std::lock_guard lock(mutex_);
  auto found = directories_.find(handle);
  return found == directories_.end() ? nullptr : found->second;
}

OpenDirectoryPtr OpenDirectories::FindByIno(Ino ino) const {
  std::lock_guard lock(mutex_);
  for (const auto& [handle, directory] : directories_) {
    if (directory->ino == ino) return directory;
  }
  return nullptr;
}

void OpenDirectories::Remove(HandleId handle) {
  std::lock_guard lock(mutex_);
  directories_.erase(handle);
}

}  // namespace gabion
