#pragma once

#include <map>
#include <set>
#include <vector>

#include "chunkserver/replication/data_context.h"
#include "common/coro/task_group.h"
#include "common/rpc/cancellable_sleep.h"
#include "proto/cluster.pb.h"

namespace gabion {

/// Scrubs the chunks of the placement groups that this server leads (docs/replication.md, "Scrub"), one at a time:
///
/// - those of which a reader found a bad copy, before anything else;
/// - all of them in a pass that an administrator wants, at full speed, in the place of one that is under way by itself;
/// - all of them again and again: a pass begins every `pass_interval` and spreads its work over that time.
///
/// Beside clients a pass rests three times as long as it works. Groups that are not served, and chunks that were
/// changed a moment ago, are tried again at the end of the pass, a few times. One loop, but for Wake.
class Scrubber {
 public:
  /// Both outlive it. `pass_interval` 0: no pass but those that are wanted.
  Scrubber(DataContext& context, Env& env, Duration pass_interval)
      : context_(context), env_(env), pass_interval_(pass_interval) {}

  void Start();
  Task<void> Stop();

  /// HeartbeatReply.scrub_round. A pass that was wanted earlier is finished first.
  void Want(std::uint64_t round);
  /// There is something in the context's ScrubQueue. Any loop.
  void Wake();

  /// For a heartbeat.
  const proto::ScrubReport& report() const { return report_; }

 private:
  /// What came of a chunk.
  enum class Looked { kDone, kUnsettled, kNotServed };

  struct Pass {
    std::uint64_t round = 0;                     // of the wish; 0: by itself
    std::set<PgId> done;                         // groups
    std::map<PgId, ChunkId> after;               // how far in the others
    std::vector<ScrubQueue::Suspect> unsettled;  // of groups that were gone through
    std::set<ChunkId> unseen;                    // of failed_: those that are not there any more, in the end
    std::uint64_t group_bytes = 0;               // of a group, about
    std::size_t groups_left = 0;
    std::uint64_t bytes_done_in_group = 0;  // the present one
  };

  Task<void> Run();
  Task<void> CutSleepShort();
  bool IsWanted() const { return wanted_ != 0 && wanted_ != report_.finished_round(); }
  /// The pass has to make way.
  bool IsOver(const Pass& pass) const { return stopping_ || (pass.round == 0 && IsWanted()); }
  /// Until then, but for suspects, and for what ends `pass`, if there is one.
  Task<void> Rest(TimePoint until, const Pass* pass);
  Task<void> ScrubSuspects();

  Task<void> RunPass(std::uint64_t round);
  std::vector<PgId> GroupsLeft(const Pass& pass) const;
  void Measure(Pass& pass) const;
  void NoteProgress(Pass& pass, std::uint64_t bytes);
  void FinishPass(const Pass& pass);
  Task<void> ScrubGroup(Pass& pass, PgId pg);
  Task<void> ScrubUnsettled(Pass& pass);
  /// `length_bytes`: what counts as done then.
  Task<Looked> ScrubInPass(Pass& pass, PgId pg, ChunkId chunk, std::uint64_t length_bytes);
  /// The chunk, in the present epoch of its group.
  Task<Looked> Look(PgId pg, ChunkId chunk);
  std::uint64_t StoredBytes() const;

  DataContext& context_;
  Env& env_;
  const Duration pass_interval_;
  proto::ScrubReport report_;
  std::uint64_t wanted_ = 0;  // as asked last
  std::set<ChunkId> failed_;  // and not found good since
  bool stopping_ = false;
  CancellableSleep sleep_;
  TaskGroup tasks_;
};

}  // namespace gabion
