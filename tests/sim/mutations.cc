#include "tests/sim/mutations.h"

#include "common/env/mutate.h"

namespace gabion {

#ifdef GABION_MUTATIONS
namespace {

constexpr Mutation kMutations[] = {
    {"chunk.any_epoch", "a chunkserver serves calls of epochs that are over"},
    {"chunk.clear_unsynced", "chunks leave the unsettled sets before their members have synced them"},
    {"chunk.forget_failed", "a change that failed on a member is answered as if it had not"},
    {"chunk.join_at_once", "a joiner is said to have everything at once"},
    {"chunk.no_fail", "after a change that failed the group serves on without being settled"},
    {"chunk.no_fence", "a member does what its primary has given up already"},
    {"chunk.no_lease", "a chunkserver serves although its lease has run out"},
    {"chunk.no_tombstone", "a removed chunk leaves nothing behind"},
    {"chunk.read_any_copy", "members other than the primary answer reads of what is unsettled"},
    {"chunk.read_beside_change", "the primary answers with what a change under way has put there"},
    {"chunk.serve_unsettled", "a primary serves before its group is settled"},
    {"chunk.settle_nothing", "settling makes no copies equal"},
    {"chunk.skip_last", "a change is answered without the last member"},
    {"chunk.sync_primary_only", "only the primary's copy is synced"},
    {"chunk.write_settled", "a write does not mark its chunk as unsettled"},
    {"client.fsync_nothing", "fsync does nothing"},
    {"client.new_number", "a mutation that is sent again gets a new number"},
    {"client.no_epoch", "changes of data name no epoch"},
    {"client.no_retry", "a data call that failed is not made again"},
    {"lease.commit_lost", "what was written is committed although the lease that it was written under is lost"},
    {"lease.downgrade_early", "a client gives a write lease up with a commit that is not its last"},
    {"lease.evict_at_once", "a session that is to be evicted is not left the time for which its client believes in it"},
    {"lease.flush_lapsed", "a client sends what it has written although its session may have lapsed"},
    {"lease.forget_eviction", "that a session has lost what it held is not written down"},
    {"lease.grant_beside_write", "a write lease is granted beside the leases of others"},
    {"lease.keep_changed", "a client believes what it knew of an inode before its own change"},
    {"lease.keep_connections", "a chunkserver that gets a lease again does what was sent to it while it had none"},
    {"lease.keep_lost_writes", "a client does not give up what it has written under leases that are lost"},
    {"lease.keep_over_resume", "a client that resumes its session keeps its leases"},
    {"lease.keep_touched", "a client believes what it knew of a name before its own change of it"},
    {"lease.leave_pages", "a client leaves it to its kernel to notice that pages are old"},
    {"lease.name_no_writes", "a client that resumes its session does not name what it has written"},
    {"lease.no_fence", "a chunkserver does what a client sent before its session was evicted"},
    {"lease.no_grace", "a metaserver that was restarted does not wait for those who may hold leases"},
    {"lease.no_mark_written", "files whose writer is given up keep their data version"},
    {"lease.resume_evicting", "a session that is to be evicted can be resumed before it is"},
    {"lease.return_first", "a client returns a lease before it has forgotten what it knew under it"},
    {"lease.return_told_entries", "a client returns a lease while its kernel may still use entries"},
    {"lease.remove_unnamed", "a client removes a file that it has open and the metaserver does not know"},
    {"lease.return_unflushed", "a client returns a write lease before what it has written is with the servers"},
    {"lease.return_unnamed", "a client returns the lease of a file that it has open and the metaserver does not know"},
    {"lease.revive", "a session that lapsed gets its leases back with its next renewal"},
    {"lease.serve_lapsed", "a client believes what it knows although its session may have lapsed"},
    {"lease.short_session", "a session is taken for lapsed before its time"},
    {"lease.show_in_grace", "a metaserver that was restarted shows files before their writers have named themselves"},
    {"lease.show_unflushed", "a file is shown while another session may be writing it"},
    {"lease.skip_recall", "an op does not wait for the leases of others"},
    {"lease.take_recalled", "a client takes a lease from an answer that its recall has overtaken"},
    {"lease.wake_early", "an op goes on when it has asked for leases, before they are returned"},
    {"lease.write_without", "a client gathers what is written without a write lease"},
    {"lock.ask_no_writer", "a lock is given although the file's writer may have given it out"},
    {"lock.add_unnamed", "a client keeps a lock that it did not name when its session went on"},
    {"lock.name_nothing", "a client that resumes its session names no locks"},
    {"lock.return_unnamed", "a writer returns its lease and does not tell of the locks that it has given out"},
    {"lock.no_grace", "a metaserver that was restarted gives locks before others have named theirs"},
    {"meta.elect_any", "a member that comes back counts as in sync at once"},
    {"meta.link_nlink", "link does not raise nlink"},
    {"meta.lose_garbage", "a removed file's chunks are not listed as garbage"},
    {"meta.no_release", "a member that fails is put out of its group before it has released it"},
    {"meta.remove_open", "a file's last name takes the file along though it is open"},
    {"meta.rename_entries", "rename onto an existing name counts a directory entry too many"},
    {"meta.replay_forgets", "what was answered is not remembered: an op that is sent again is done twice"},
    {"meta.short_lease", "a server is taken for dead before its lease has run out"},
    {"meta.sync_nothing", "the metaserver answers fsync before its store is durable"},
};

}  // namespace

std::span<const Mutation> Mutations() {
  return kMutations;
}

bool Mutate(std::string_view name) {
  if (name.empty()) {
    ChooseMutation("");
    return true;
  }
  for (const Mutation& one : kMutations) {
    if (one.name != name) continue;
    ChooseMutation(one.name);
    return true;
  }
  return false;
}
#else
std::span<const Mutation> Mutations() {
  return {};
}

bool Mutate(std::string_view name) {
  return name.empty();
}
#endif

}  // namespace gabion
