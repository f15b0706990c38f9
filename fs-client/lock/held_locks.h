#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "common/coro/async_event.h"
#include "common/lock/range_locks.h"
#include "fs-client/io/wait_list.h"
#include "fs-client/lease/lease_cache.h"
#include "fs-client/vfs/open_files.h"

namespace gabion {

/// The locks that programs of this host hold and wait for (docs/locks.md). Those of a file are all at the metaserver,
/// or all given out *here*, which it does not know: then this is the writer of the file, and nobody else has any. A
/// session that goes on names both; closing a file asks only if there is something to unlock. Owners are the kernel's
/// numbers, without a session; inode numbers are the metaserver's. Any loop.
class HeldLocks final : public LockRegistry {
 public:
  /// So many of a file are given out here; as many as the metaserver lets one client have.
  static constexpr std::size_t kMaxHere = 4096;

  /// `max_waits_per_loop`: those that wait take a place each in their loop's queue of requests, which others need too.
  explicit HeldLocks(OpenFiles& files, std::size_t max_waits_per_loop = 32)
      : files_(files), max_waits_per_loop_(max_waits_per_loop) {}

  // What is held.

  /// How often the locks have been named to the metaserver; see Add.
  std::uint64_t times_named() const;
  /// The metaserver has granted it, by a request that was sent when times_named() was `named`. False if the locks were
  /// named since: this one was not among them, and has to be asked for again.
  bool Add(Ino ino, HandleId handle, const RangeLock& lock, std::uint64_t named);
  /// Gives it out here, if nobody has asked the metaserver about the file's locks, and `leases` has it that nobody
  /// else can.
  enum class Here { kTaken, kConflict, kNotHere };
  Here TakeHere(Ino ino, HandleId handle, const RangeLock& lock, const LeaseCache& leases, TimePoint now);
  /// A lock that is in the way of what would be given out here; kNotHere: the metaserver has to be asked.
  Here TestHere(Ino ino, const RangeLock& lock, const LeaseCache& leases, TimePoint now,
                std::optional<RangeLock>& conflict) const;
  /// Whether the file has locks that were given out here.
  bool IsHere(Ino ino) const;
  /// Whether the metaserver has to hear of it too. kBeingNamed: nothing was done, for a naming is under way that may
  /// tell it of that lock.
  enum class Removed { kNothing, kHere, kAtMetaserver, kBeingNamed };
  /// What the owner may have had of the file is taken out, before it is unlocked.
  Removed Remove(Ino ino, const LockOwner& owner, std::uint64_t begin, std::uint64_t last);
  /// A request about a lock was given up: nobody knows what the owner has, unless what he has is here.
  void NoteUnsure(Ino ino, HandleId handle, const LockOwner& owner);
  /// Whether the owner may have locks of the file.
  bool Has(Ino ino, const LockOwner& owner) const;
  /// Those that may have locks of the file by way of that handle.
  std::vector<LockOwner> OwnersBy(Ino ino, HandleId handle) const;

  // What others have to wait for before they ask for a lock; null: nothing.

  /// The locks are being named.
  std::shared_ptr<AsyncEvent> Naming();
  /// Those of one file that were given out here are about to be named: the metaserver does not know them, and has to.
  std::vector<proto::FileLock> BeginNamingHere(Ino ino);
  /// They were, with this answer, or (null) may have been.
  void EndNamingHere(Ino ino, const proto::NameLocksReply* reply);
  /// Whether it is held.
  bool Covers(const proto::FileLock& lock) const;
  /// While it lives, the metaserver is being asked about the file's locks, and nothing is given out here.
  class [[nodiscard]] Asking {
   public:
    Asking(HeldLocks& locks, Ino ino);
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    ~Asking();

   private:
    HeldLocks& locks_;
    const Ino ino_;
  };
  /// Somebody who closes the file is giving up locks: whoever sees it closed expects to get them.
  std::shared_ptr<AsyncEvent> Releasing(Ino ino);
  void BeginRelease(Ino ino);
  void EndRelease(Ino ino);

  // Who waits.

  struct Wait {
    std::uint64_t number = 0;
    std::shared_ptr<AsyncEvent> woken = std::make_shared<AsyncEvent>();  // granted, or to be asked for again
    bool granted = false;                                                // under the mutex
  };
  using WaitPtr = std::shared_ptr<Wait>;
  /// On the loop of that index; null if too many wait there already.
  WaitPtr BeginWait(unsigned loop);
  void EndWait(unsigned loop, const WaitPtr& wait);
  bool WasGranted(const WaitPtr& wait) const;
  /// It is asked for again: what it was told before does not count.
  void AskAgain(const WaitPtr& wait);
  /// The metaserver says so, with a number of the sequence that OpenSessionReply.note has one of.
  void Granted(std::uint64_t wait, std::uint64_t number);

  // Of the session.

  std::vector<proto::FileLock> NameLocks() override;
  void Named(const proto::OpenSessionReply* reply) override;

 private:
  struct Owner {
    std::set<HandleId> handles;
    bool unsure = false;
  };
  struct File {
    RangeLocks locks;
    std::map<LockOwner, Owner> owners;
    bool here = false;
  };
  struct Release {
    std::size_t count = 0;
    WaitList ended;
  };

  // Under mutex_.

  bool MayBeHere(Ino ino, const LeaseCache& leases, TimePoint now) const;
  void EndNaming();
  void MarkLost(const proto::FileLock& lock);

  OpenFiles& files_;
  const std::size_t max_waits_per_loop_;
  mutable std::mutex mutex_;
  std::unordered_map<Ino, File> held_;
  std::unordered_map<Ino, Release> releases_;
  std::unordered_map<Ino, std::size_t> asking_;
  std::size_t naming_ = 0;
  WaitList named_;
  std::uint64_t times_named_ = 0;
  std::uint64_t granted_above_ = 0;  // what was granted up to it is asked for again
  std::uint64_t last_wait_ = 0;
  std::map<std::uint64_t, WaitPtr> waits_;
  std::map<unsigned, std::size_t> waits_of_loop_;
};

}  // namespace gabion
