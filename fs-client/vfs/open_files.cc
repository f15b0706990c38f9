#include "fs-client/vfs/open_files.h"

#include <algorithm>

#include "common/base/log.h"

namespace gabion {

bool OpenFiles::Announce(HandleId handle, Ino ino) {
  std::lock_guard lock(handles_mutex_);
  if (removed_.contains(ino)) return false;
  handles_[handle] = Slot{ino, nullptr};
  opening_.insert(handle);
  return true;
}

OpenInodePtr OpenFiles::MarkRemoved(Ino ino, std::span<const HandleId> open_there) {
  // What is opened by name is announced under another number: then the metaserver knows it by its handle.
  std::lock_guard handles_lock(handles_mutex_);
  for (HandleId handle : open_there) {
    if (handles_.contains(handle)) return nullptr;
  }
  std::lock_guard inodes_lock(inodes_mutex_);
  auto found = inodes_.find(ino);
  if (found == inodes_.end()) return nullptr;
  const bool is_opening =
      std::any_of(opening_.begin(), opening_.end(), [&](HandleId handle) { return handles_.at(handle).ino == ino; });
  if (is_opening) return nullptr;
  std::lock_guard lock(found->second->mutex);
  if (!found->second->handles.empty()) return nullptr;
  found->second->removed = true;
  if (removed_.insert(ino).second) removed_order_.push_back(ino);
  if (removed_order_.size() > kMaxRemembered) {
    removed_.erase(removed_order_.front());
    removed_order_.pop_front();
  }
  return found->second;
}

void OpenFiles::Abandon(HandleId handle) {
  std::lock_guard lock(handles_mutex_);
  handles_.erase(handle);
  opening_.erase(handle);
}

OpenFiles::Opened OpenFiles::Finish(HandleId id, const proto::Attr& attr, std::uint32_t flags, bool fresh) {
  Ino ino(attr.ino());
  Opened opened;
  {
    std::lock_guard lock(inodes_mutex_);
    OpenInodePtr& inode = inodes_[ino];
    bool first = inode == nullptr;
    if (first) inode = std::make_shared<OpenInode>(ino);
    opened.handle = std::make_shared<OpenHandle>(id, inode, flags);

    std::lock_guard inode_lock(inode->mutex);
    if (first) {
      opened.keep_cache = fresh || closed_.Take(ino) == attr.data_version();
      inode->Adopt(attr, opened.keep_cache && !fresh);
      inode->foreign_unsynced = !fresh;
      if (auto untold = untold_.find(ino); untold != untold_.end()) {
        inode->errors.Add(std::move(untold->second));
        untold_.erase(untold);
      }
    } else {
      opened.stale_pages = inode->Observe(attr) != OpenInode::Verdict::kCurrent;
      // What the kernel is dropping with another open it may still have: then it does with this one as well.
      const bool is_dropping = std::any_of(inode->handles.begin(), inode->handles.end(), [](const OpenHandle* handle) {
        return handle->drops_pages && !handle->in_use;
      });
      opened.keep_cache = !opened.stale_pages && !is_dropping;
    }
    opened.handle->drops_pages = !opened.keep_cache;
    inode->handles.push_back(opened.handle.get());
    opened.handle->errors_seen_by_write = inode->errors.count;
    opened.handle->errors_seen_by_sync = inode->errors.told;
  }
  std::lock_guard lock(handles_mutex_);
  handles_[id] = Slot{ino, opened.handle};
  opening_.erase(id);
  return opened;
}

OpenHandlePtr OpenFiles::Find(HandleId handle) const {
  std::lock_guard lock(handles_mutex_);
  auto found = handles_.find(handle);
  return found == handles_.end() ? nullptr : found->second.handle;
}

OpenInodePtr OpenFiles::FindInode(Ino ino) const {
  std::lock_guard lock(inodes_mutex_);
  auto found = inodes_.find(ino);
  return found == inodes_.end() ? nullptr : found->second;
}

void OpenFiles::Close(const OpenHandlePtr& handle) {
  {
    std::lock_guard lock(handles_mutex_);
    handles_.erase(handle->id);
  }
  WaitList::Waiters woken;
  std::lock_guard lock(inodes_mutex_);
  const OpenInodePtr& inode = handle->inode;
  std::lock_guard inode_lock(inode->mutex);
  WaitList::Wake(handle->stream.Drop(0, UINT64_MAX));
  std::erase(inode->handles, handle.get());
  RemoveUnused(*inode);
}

void OpenFiles::Retire(const OpenInodePtr& inode) {
  std::lock_guard lock(inodes_mutex_);
  std::lock_guard inode_lock(inode->mutex);
  RemoveUnused(*inode);
}

/// Under both mutexes.
void OpenFiles::RemoveUnused(OpenInode& inode) {
  if (!inode.handles.empty() || !inode.dirty.empty()) return;
  auto found = inodes_.find(inode.ino());
  if (found == inodes_.end() || found->second.get() != &inode) return;
  if (inode.kernel_has_pages) closed_.Put(inode.ino(), inode.kernel_version);
  KeepUntold(inode);
  inodes_.erase(found);
}

/// Of what was written nobody hears by close, which does not wait for it: then whoever opens the file next does.
void OpenFiles::KeepUntold(const OpenInode& inode) {
  if (inode.removed || inode.errors.told == inode.errors.count) return;
  if (untold_.insert_or_assign(inode.ino(), inode.errors.last).second) untold_order_.push_back(inode.ino());
  if (untold_order_.size() > kMaxRemembered) {
    untold_.erase(untold_order_.front());
    untold_order_.pop_front();
  }
}

void OpenFiles::DoubtVersions(bool lost_power) {
  std::lock_guard handles_lock(handles_mutex_);
  removed_.clear();
  removed_order_.clear();
  std::lock_guard lock(inodes_mutex_);
  closed_.Clear();
  for (const auto& [ino, inode] : inodes_) {
    std::lock_guard inode_lock(inode->mutex);
    inode->DoubtVersion(lost_power);
  }
}

std::vector<proto::WrittenFile> OpenFiles::WrittenFiles() {
  std::vector<proto::WrittenFile> written;
  {
    std::lock_guard lock(inodes_mutex_);
    for (const auto& [ino, inode] : inodes_) {
      std::lock_guard inode_lock(inode->mutex);
      if (inode->dirty.empty() || inode->lost) continue;
      proto::WrittenFile& file = written.emplace_back();
      file.set_ino(ino.value());
      if (inode->IsGivingBack()) file.set_version_before(inode->version_before);
    }
  }
  std::sort(written.begin(), written.end(),
            [](const proto::WrittenFile& a, const proto::WrittenFile& b) { return a.ino() < b.ino(); });
  return written;
}

void OpenFiles::LoseWrites(const std::vector<Ino>& inodes) {
  for (Ino ino : inodes) {
    OpenInodePtr inode = FindInode(ino);
    if (inode == nullptr) continue;
    std::lock_guard lock(inode->mutex);
    inode->NoteLeaseGone();
  }
}

std::vector<proto::OpenHandle> OpenFiles::OpenHandles() {
  std::vector<proto::OpenHandle> all;
  own_.NoteNamed();
  {
    std::lock_guard lock(handles_mutex_);
    all.reserve(handles_.size());
    for (auto& [id, slot] : handles_) {
      slot.named_open = slot.handle != nullptr;
      proto::OpenHandle& open = all.emplace_back();
      open.set_handle_id(id.value());
      open.set_ino(slot.ino.value());
    }
  }
  std::sort(all.begin(), all.end(),
            [](const proto::OpenHandle& a, const proto::OpenHandle& b) { return a.handle_id() < b.handle_id(); });
  return all;
}

void OpenFiles::MarkLockLost(HandleId id) {
  if (OpenHandlePtr handle = Find(id)) handle->lock_lost = true;
}

void OpenFiles::MarkLost(const std::vector<HandleId>& handles) {
  std::vector<HandleId> gone;
  {
    std::lock_guard lock(handles_mutex_);
    for (HandleId id : handles) {
      auto found = handles_.find(id);
      // One that was still being opened when it was named learns its fate from the answer to that, be it here by now.
      if (found != handles_.end() && found->second.named_open) gone.push_back(id);
    }
  }
  MarkGone(gone);
}

void OpenFiles::MarkGone(const std::vector<HandleId>& handles) {
  std::size_t gone = 0;
  for (HandleId id : handles) {
    OpenHandlePtr handle = Find(id);
    if (handle == nullptr) continue;
    handle->lost = true;
    ++gone;
  }
  if (gone > 0) LogWarning("{} open files are gone from the volume; calls on them fail with ESTALE", gone);
}

}  // namespace gabion
