#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/env/random.h"
#include "metaserver/cluster/placement.h"
#include "metaserver/store/txn.h"
#include "metaserver/volume/volume_state.h"
#include "proto/meta.pb.h"

namespace gabion {

/// On whose behalf an op runs.
struct Credentials {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;

  static Credentials Of(const proto::OpHeader& header);
  bool is_root() const { return uid == 0; }
  bool InGroup(std::uint32_t group) const;
};

/// What an op changes in memory: carried out by the executor once its batch is applied, dropped if it is not.
struct OpEffects {
  struct Opened {
    HandleId handle;
    Ino ino;
  };
  std::vector<Opened> opened;
  std::vector<HandleId> closed;
  struct LockChange {
    enum class Kind { kSet, kClear, kWait, kCancel, kRefused };
    Kind kind = Kind::kSet;
    Ino ino;
    RangeLock lock;  // of kRefused, that of the holder
    std::uint64_t wait = 0;
  };
  std::vector<LockChange> locks;
  std::vector<Ino> orphans_added, orphans_removed;
  std::vector<Ino> reclaims_added, reclaims_removed;
  std::vector<Ino> leased;        // the session gets a lease on them
  std::vector<Ino> write_leased;  // and those among them get a write lease
  struct Downgrade {
    Ino ino;
    std::uint64_t number = 0;
  };
  std::optional<Downgrade> downgraded;
  std::int64_t inodes_delta = 0;
  std::int64_t used_bytes_delta = 0;
  std::uint64_t garbage_added = 0;
};

/// What an op may look at beside its Txn. It lives for one run of the op.
struct OpContext {
  const VolumeState& state;
  const Session* session;  // null: the server itself (background work)
  Credentials caller;
  OpSeq seq;  // 0: not a mutation, or one that may be repeated
  TimePoint now;
  std::int64_t now_ns;  // wall clock
  const Placement& placement;
  Random& random;
  OpEffects effects;
  /// What the op has to wait for: of these, until no other session has a lease; of those that it shows, until none has
  /// a write lease.
  std::vector<Ino> exclusive = {};
  std::vector<Ino> shown = {};
  /// Leases on what was wanted by others a moment ago are granted as well.
  bool despite_contention = false;
  /// False: it waits for nobody's leases, for what it changes nobody is shown, or it is what ends the wait for them.
  bool waits = true;

  bool SessionHasOpen(Ino ino) const { return session == nullptr || !session->resumed || session->HasOpen(ino); }
  /// By which handles the session has the file open, if no other session may have it open, and they are few.
  std::optional<std::vector<HandleId>> OnlyHandlesOf(Ino ino) const;
  /// Whether the session gets (or keeps) a lease on an inode that the answer shows.
  bool Lease(Ino ino);
  /// Whether it gets a write lease on one of them. `awaited`: the op is there to get it.
  bool LeaseWrite(Ino ino, bool awaited);
  bool IsWriter(Ino ino) const { return session != nullptr && state.leases.Writer(ino) == session->id; }
  /// Whether another session may know better how the inode is.
  bool IsWrittenElsewhere(Ino ino) const;
};

// An op is a function over these, in a file named for it (metaserver/op/):
//   Result<Reply> Op(Txn& txn, const Request& request, OpContext& context);
// It reads, decides and stages without suspending, on the volume's strand. It hands kWouldBlock up, upon which it is
// run again from the start with a new Txn and a new context. On any error nothing of what it staged is applied.

}  // namespace gabion
