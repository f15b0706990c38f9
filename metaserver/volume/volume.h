#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "common/env/kv_store.h"
#include "metaserver/cluster/cluster.h"
#include "metaserver/op/op_context.h"
#include "metaserver/volume/volume_state.h"

namespace gabion {

/// A namespace: executes its ops one at a time (DESIGN 4.2).
///
/// The strand is a mutex, held for the synchronous run of one op: load, decide, apply its batch. So an op runs to its
/// end on the loop of the connection that brought it, without a hand-off to another thread. What an op needs and is not
/// in memory is loaded with the strand released, and the op runs again from the start.
///
/// Any loop; held by counted pointer, so that an op may outlive the volume's removal from the table.
class Volume {
 public:
  /// What an op is allowed beside the usual.
  struct OpTraits {
    bool seq_optional = false;  // harmless if executed twice: may come without a sequence number
    bool read_only = false;     // also in sessions that mounted read-only
    bool holds = false;         // gets what is lost by eviction: not in sessions that have to be resumed first
  };
  /// Decides and stages; gives the encoded reply.
  using Op = std::function<Result<std::string>(Txn&, OpContext&)>;
  using Decision = std::function<Result<void>(Txn&, OpContext&)>;
  static constexpr TimePoint kNever{std::numeric_limits<std::int64_t>::max()};
  /// Carries into memory what the applied batch says.
  using Publish = std::function<void(VolumeState&)>;

  /// `session_ttl`: for how long a session's leases are good after it was renewed. `data_version_floor`: above it no
  /// earlier process of this server has given any.
  Volume(VolumeId id, records::Volume record, KvStore& kv, Cluster& cluster, Duration session_ttl,
         std::uint64_t data_version_floor, Random& random);

  VolumeId id() const { return state_.id; }
  const std::string& name() const { return name_; }

  /// Reads sessions, replies and orphans. Before anything else, except for a volume that was just made (InitializeNew).
  Task<Result<void>> Load(Env& env);
  void InitializeNew(std::uint64_t next_ino, const records::VolumeStats& stats);

  /// Executes a mutation exactly once for its (session, seq), and answers when it survives this process (DESIGN 4.3).
  /// `header` and what `op` refers to live until the task ends. Errors: the op's; kSessionExpired, kReadOnly,
  /// kUnavailable (the store takes no writes), kHeld (others had leases in its way until `wait_until`; nothing was
  /// done), those of ReplayWindow::Check.
  Task<Result<std::string>> Mutate(const proto::OpHeader& header, OpTraits traits, Op op, TimePoint wait_until,
                                   Env& env);
  /// Executes an op that changes nothing. Errors: the op's; kSessionExpired, kHeld.
  Task<Result<std::string>> Read(const proto::OpHeader& header, Op op, TimePoint wait_until, Env& env);
  /// Runs the server's own decision, as root and without a session; on success its batch is applied and `publish` runs
  /// before anybody else gets the strand. Errors: the decision's; kStale (the volume was deleted), kUnavailable, kHeld.
  Task<Result<void>> Run(Decision decide, Publish publish, Env& env, TimePoint wait_until = kNever);
  /// Returns when everything that was answered before the call is durable.
  Task<Result<CommitSeq>> Sync(const proto::OpHeader& header, Env& env);

  /// Ends waits for leases that have run out. Every 100 ms or so.
  void TendLeases(TimePoint now);
  /// The lapsed sessions that have locks or write leases which others want, or may have some of before a restart, or
  /// are to be evicted in any case.
  std::vector<SessionId> FindLapsedHolders(TimePoint now);
  /// Takes a session's locks and leases from it, if it has still lapsed: whether it had. Its client is told when it
  /// comes back, if need be by another process of this server. Errors: the store's.
  Task<Result<bool>> Evict(SessionId session, Env& env);
  /// The session is renewed no more, and evicted when it has lapsed by that, though its client be there. Returns when a
  /// restart of this server does not change that any more. Errors: kNotFound, the store's.
  Task<Result<void>> RequestEviction(SessionId session, Env& env);
  /// The sessions whose clients have heard that they were evicted.
  std::vector<SessionId> FindHeardLosses();
  /// Errors: the store's.
  Task<Result<void>> ForgetLoss(SessionId session, Env& env);
  /// Gives locks that could not be given when they became free: in grace, or of sessions that ended. Every 100 ms or
  /// so.
  void TendLocks(TimePoint now);
  /// This server stood still for so long, and heard no session renewed meanwhile: that is not their fault.
  void ExtendSessions(Duration late);
  /// The server stops: no op waits for leases any more.
  void CloseLeases();

  /// Calls `look(VolumeState&)` on the strand; for what needs no store.
  template <typename Function>
  auto WithState(Function look) {
    const std::lock_guard lock(mutex_);
    return look(state_);
  }

 private:
  /// What one turn on the strand came to.
  struct Turn {
    Result<std::string> reply;
    std::vector<Txn::Miss> misses;                   // not empty: load them and take another turn
    CommitSeq commit;                                // what the reply tells of; to be awaited
    std::shared_ptr<AsyncEvent> obstacle = nullptr;  // others' leases: await it and take another turn
  };

  /// The inodes that an op waits to change, from its first turn to its last, so that it gets its turn.
  class Wants {
   public:
    Wants(Volume& volume, TimePoint wait_until) : volume_(volume), wait_until_(wait_until) {}
    ~Wants();
    Wants(const Wants&) = delete;
    Wants& operator=(const Wants&) = delete;
    /// On the strand.
    void Add(SessionId own, Ino ino, LeaseTable::Mode mode, TimePoint now);
    TimePoint wait_until() const { return wait_until_; }

   private:
    Volume& volume_;
    const TimePoint wait_until_;
    SessionId own_;
    std::set<Ino> inodes_;
  };

  Turn TakeMutationTurn(Wants& wants, const proto::OpHeader& header, OpTraits traits, const Op& op, Env& env);
  Turn TakeReadTurn(Wants& wants, const proto::OpHeader& header, const Op& op, Env& env);
  Turn TakeInternalTurn(Wants& wants, const Decision& decide, const Publish& publish, Env& env);
  Task<Result<std::string>> FinishTurns(std::function<Turn(Wants&)> take_turn, TimePoint wait_until, Env& env);

  // On the strand.
  Result<Session*> LiveSession(const proto::OpHeader& header, Env& env);
  Turn Replay(Session& session, OpSeq seq, const ReplayWindow::Answer& answer);
  Turn Execute(Wants& wants, Session& session, const proto::OpHeader& header, const Op& op, Env& env);
  void StageStats(Txn& txn, const OpEffects& effects) const;
  Result<CommitSeq> Apply(Txn& txn);
  void ApplyEffects(Session* session, const OpEffects& effects);

  // volume_leases.cc, on the strand.

  /// What an op has to wait for before it may change what it changes, and show what it shows; null: nothing. Errors:
  /// kUnavailable (the server stops).
  Result<std::shared_ptr<AsyncEvent>> FindObstacle(Wants& wants, const Txn& txn, const OpContext& context);
  /// Whether a session other than `own` holds a lease on the inode. Those that have lapsed lose theirs, but for write
  /// leases, which takes longer (Evict).
  bool IsHeldElsewhere(SessionId own, Ino ino, TimePoint now);
  bool HasLapsed(SessionId session, TimePoint now) const;
  bool HaveReadsLapsed(SessionId session, TimePoint now) const;
  /// What the answer to an op tells of what it changed: called before the batch is taken.
  static proto::LeaseNote NoteChanges(Txn& txn, OpContext& context);
  /// Grants what the answer shows, and says so in the answer.
  void NoteLeases(proto::LeaseNote note, const OpContext& context, std::string& reply);

  // volume_locks.cc, on the strand.

  void ApplyLock(const OpEffects::LockChange& change, TimePoint now);
  /// Gives who waits what is free, and tells the sessions.
  void GrantLocks();

  /// volume_locks.cc: if the session has lapsed (whether it has), returns when nothing any more is done at the
  /// chunkservers that its client has sent before it resumed it.
  Task<Result<bool>> FenceLapsed(SessionId id, Env& env);
  /// volume_locks.cc: the session may have written to these files and not said so: whoever has cached their content
  /// looks again.
  Task<Result<void>> MarkWritten(SessionId id, Env& env);
  static constexpr std::size_t kMarkedAtOnce = 256;

  Task<Result<void>> LoadMisses(std::vector<Txn::Miss> misses);
  Task<Result<void>> AwaitApplied(CommitSeq seq);

  KvStore& kv_;
  Cluster& cluster_;
  const std::string name_;
  const Duration session_ttl_;

  std::mutex mutex_;  // the strand
  VolumeState state_;
  CommitSeq last_commit_;

  std::atomic<std::uint64_t> known_applied_ = 0;  // commits up to it survive this process
};

}  // namespace gabion
