#include "fs-client/lock/held_locks.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/env/mutate.h"
#include "common/lock/lock_message.h"

namespace gabion {

std::uint64_t HeldLocks::times_named() const {
  std::lock_guard lock(mutex_);
  return times_named_;
}

bool HeldLocks::Add(Ino ino, HandleId handle, const RangeLock& granted, std::uint64_t named) {
  std::lock_guard lock(mutex_);
  if ((named != times_named_ || naming_ > 0) && !Mutated("lock.add_unnamed")) return false;
  File& file = held_[ino];
  file.locks.Set(granted);
  file.owners[granted.owner].handles.insert(handle);
  return true;
}

bool HeldLocks::MayBeHere(Ino ino, const LeaseCache& leases, TimePoint now) const {
  if (naming_ > 0 || asking_.contains(ino)) return false;
  auto file = held_.find(ino);
  if (file != held_.end() && !file->second.here) return false;
  // In this order: whoever returns the lease has given it up before it names what is here.
  return leases.MayLock(ino, now);
}

HeldLocks::Here HeldLocks::TakeHere(Ino ino, HandleId handle, const RangeLock& wanted, const LeaseCache& leases,
                                    TimePoint now) {
  std::lock_guard lock(mutex_);
  if (!MayBeHere(ino, leases, now)) return Here::kNotHere;
  auto found = held_.find(ino);
  if (found != held_.end()) {
    if (found->second.locks.FindConflict(wanted) != nullptr) return Here::kConflict;
    if (found->second.locks.all().size() >= kMaxHere) return Here::kNotHere;
  }
  File& file = held_[ino];
  file.here = true;
  file.locks.Set(wanted);
  file.owners[wanted.owner].handles.insert(handle);
  return Here::kTaken;
}

HeldLocks::Here HeldLocks::TestHere(Ino ino, const RangeLock& wanted, const LeaseCache& leases, TimePoint now,
                                    std::optional<RangeLock>& conflict) const {
  std::lock_guard lock(mutex_);
  if (!MayBeHere(ino, leases, now)) return Here::kNotHere;
  auto file = held_.find(ino);
  const RangeLock* found = file == held_.end() ? nullptr : file->second.locks.FindConflict(wanted);
  if (found == nullptr) return Here::kTaken;
  conflict = *found;
  return Here::kConflict;
}

bool HeldLocks::IsHere(Ino ino) const {
  std::lock_guard lock(mutex_);
  auto file = held_.find(ino);
  return file != held_.end() && file->second.here;
}

HeldLocks::Removed HeldLocks::Remove(Ino ino, const LockOwner& owner, std::uint64_t begin, std::uint64_t last) {
  std::lock_guard lock(mutex_);
  auto file = held_.find(ino);
  if (file == held_.end() || !file->second.owners.contains(owner)) return Removed::kNothing;
  if (naming_ > 0) return Removed::kBeingNamed;
  const Removed removed = file->second.here ? Removed::kHere : Removed::kAtMetaserver;
  file->second.locks.Clear(owner, begin, last);
  const bool is_whole = begin == 0 && last == RangeLock::kLastByte;
  const bool is_gone = file->second.locks.CountOf(owner) == 0 && (is_whole || !file->second.owners[owner].unsure);
  if (is_gone) file->second.owners.erase(owner);
  if (file->second.owners.empty()) held_.erase(file);
  return removed;
}

void HeldLocks::NoteUnsure(Ino ino, HandleId handle, const LockOwner& owner) {
  std::lock_guard lock(mutex_);
  if (auto file = held_.find(ino); file != held_.end() && file->second.here) return;  // nobody was asked
  Owner& unsure = held_[ino].owners[owner];
  unsure.unsure = true;
  unsure.handles.insert(handle);
}

bool HeldLocks::Has(Ino ino, const LockOwner& owner) const {
  std::lock_guard lock(mutex_);
  auto file = held_.find(ino);
  return file != held_.end() && file->second.owners.contains(owner);
}

std::vector<LockOwner> HeldLocks::OwnersBy(Ino ino, HandleId handle) const {
  std::vector<LockOwner> owners;
  std::lock_guard lock(mutex_);
  auto file = held_.find(ino);
  if (file == held_.end()) return owners;
  for (const auto& [owner, of_owner] : file->second.owners) {
    if (of_owner.handles.contains(handle)) owners.push_back(owner);
  }
  return owners;
}

std::shared_ptr<AsyncEvent> HeldLocks::Naming() {
  std::lock_guard lock(mutex_);
  return naming_ > 0 ? named_.Add() : nullptr;
}

std::vector<proto::FileLock> HeldLocks::BeginNamingHere(Ino ino) {
  std::vector<proto::FileLock> named;
  std::lock_guard lock(mutex_);
  auto file = held_.find(ino);
  if (file == held_.end() || !file->second.here) return named;
  CHECK(!file->second.locks.empty());
  ++naming_;
  for (const RangeLock& held : file->second.locks.all()) named.push_back(ToMessage(ino, held));
  return named;
}

void HeldLocks::EndNamingHere(Ino ino, const proto::NameLocksReply* reply) {
  std::lock_guard lock(mutex_);
  auto file = held_.find(ino);
  if (reply != nullptr && file != held_.end()) file->second.here = false;
  if (reply != nullptr) {
    for (const proto::FileLock& lost : reply->lost_locks()) MarkLost(lost);
  }
  EndNaming();
}

void HeldLocks::EndNaming() {
  if (--naming_ == 0) WaitList::Wake(named_.TakeAll());
}

bool HeldLocks::Covers(const proto::FileLock& message) const {
  const Result<RangeLock> wanted = FromMessage(SessionId(), message);
  std::lock_guard lock(mutex_);
  auto file = held_.find(Ino(message.ino()));
  return wanted && file != held_.end() && file->second.locks.Covers(*wanted);
}

HeldLocks::Asking::Asking(HeldLocks& locks, Ino ino) : locks_(locks), ino_(ino) {
  std::lock_guard lock(locks_.mutex_);
  ++locks_.asking_[ino_];
}

HeldLocks::Asking::~Asking() {
  std::lock_guard lock(locks_.mutex_);
  auto found = locks_.asking_.find(ino_);
  if (--found->second == 0) locks_.asking_.erase(found);
}

std::shared_ptr<AsyncEvent> HeldLocks::Releasing(Ino ino) {
  std::lock_guard lock(mutex_);
  auto found = releases_.find(ino);
  return found == releases_.end() ? nullptr : found->second.ended.Add();
}

void HeldLocks::BeginRelease(Ino ino) {
  std::lock_guard lock(mutex_);
  ++releases_[ino].count;
}

void HeldLocks::EndRelease(Ino ino) {
  std::lock_guard lock(mutex_);
  auto found = releases_.find(ino);
  if (--found->second.count > 0) return;
  WaitList::Wake(found->second.ended.TakeAll());
  releases_.erase(found);
}

HeldLocks::WaitPtr HeldLocks::BeginWait(unsigned loop) {
  std::lock_guard lock(mutex_);
  std::size_t& count = waits_of_loop_[loop];
  if (count >= max_waits_per_loop_) return nullptr;
  ++count;
  auto wait = std::make_shared<Wait>();
  wait->number = ++last_wait_;
  waits_[wait->number] = wait;
  return wait;
}

void HeldLocks::EndWait(unsigned loop, const WaitPtr& wait) {
  std::lock_guard lock(mutex_);
  --waits_of_loop_[loop];
  waits_.erase(wait->number);
}

bool HeldLocks::WasGranted(const WaitPtr& wait) const {
  std::lock_guard lock(mutex_);
  return wait->granted;
}

void HeldLocks::AskAgain(const WaitPtr& wait) {
  std::lock_guard lock(mutex_);
  wait->granted = false;
  wait->woken->Reset();
}

void HeldLocks::Granted(std::uint64_t wait, std::uint64_t number) {
  std::lock_guard lock(mutex_);
  auto found = waits_.find(wait);
  if (found == waits_.end() || number <= granted_above_) return;
  found->second->granted = true;
  found->second->woken->Set();
}

std::vector<proto::FileLock> HeldLocks::NameLocks() {
  std::vector<proto::FileLock> named;
  std::lock_guard lock(mutex_);
  ++times_named_;
  ++naming_;
  if (Mutated("lock.name_nothing")) return named;
  for (const auto& [ino, file] : held_) {
    for (const RangeLock& held : file.locks.all()) named.push_back(ToMessage(ino, held));
  }
  return named;
}

void HeldLocks::Named(const proto::OpenSessionReply* reply) {
  std::lock_guard lock(mutex_);
  if (reply != nullptr) {
    for (auto& [ino, file] : held_) file.here = false;
    for (const proto::FileLock& lost : reply->lost_locks()) MarkLost(lost);
    granted_above_ = reply->note().number();
    for (auto& [number, wait] : waits_) {
      wait->granted = false;
      wait->woken->Set();
    }
  }
  EndNaming();
}

void HeldLocks::MarkLost(const proto::FileLock& message) {
  const Result<RangeLock> lost = FromMessage(SessionId(), message);
  auto file = held_.find(Ino(message.ino()));
  // It may have been given up meanwhile, and the metaserver have heard of that first.
  if (!lost || file == held_.end() || !file->second.locks.Covers(*lost)) return;
  LogWarning(
      "process {} has lost a lock on inode {} while the metaserver could not be reached, and others may have had it "
      "since; "
      "what it has open there fails with EIO until it is closed",
      lost->pid, message.ino());
  for (HandleId handle : file->second.owners[lost->owner].handles) files_.MarkLockLost(handle);
  file->second.locks.Clear(lost->owner, lost->begin, lost->last);
}

}  // namespace gabion
