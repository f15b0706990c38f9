#include "metaserver/admin/recovery.h"

#include <algorithm>
#include <set>

namespace gabion {

namespace {

std::uint32_t CopiesOf(const Cluster::GroupView& view) {
  return static_cast<std::uint32_t>(
      std::count_if(view.group.members.begin(), view.group.members.end(), [&](const GroupMember& member) {
        return member.state == MemberState::kInSync && view.alive.contains(member.id);
      }));
}

proto::PgMemberState StateOf(MemberState state) {
  switch (state) {
    case MemberState::kInSync:
      return proto::PG_MEMBER_IN_SYNC;
    case MemberState::kJoining:
      return proto::PG_MEMBER_JOINING;
    case MemberState::kAway:
      break;
  }
  return proto::PG_MEMBER_AWAY;
}

}  // namespace

proto::RecoveryStatus SummarizeRecovery(const std::vector<Cluster::GroupView>& groups) {
  proto::RecoveryStatus recovery;
  std::set<ServerId> missing;
  for (const Cluster::GroupView& view : groups) {
    recovery.set_joiners(recovery.joiners() + view.group.Count(MemberState::kJoining));
    for (const auto& [joiner, progress] : view.progress) {
      recovery.set_chunks_left(recovery.chunks_left() + progress.chunks_left());
      recovery.set_bytes_left(recovery.bytes_left() + progress.bytes_left());
      recovery.set_bytes_sent(recovery.bytes_sent() + progress.bytes_sent());
    }
    const std::uint32_t copies = CopiesOf(view);
    if (copies >= view.group.replicas) continue;
    recovery.set_pgs_degraded(recovery.pgs_degraded() + 1);
    if (recovery.pgs_with_fewest() == 0 || copies < recovery.fewest_copies()) {
      recovery.set_fewest_copies(copies);
      recovery.set_pgs_with_fewest(0);
      missing.clear();
    }
    if (copies > recovery.fewest_copies()) continue;
    recovery.set_pgs_with_fewest(recovery.pgs_with_fewest() + 1);
    for (const GroupMember& member : view.group.members) {
      if (!view.alive.contains(member.id)) missing.insert(member.id);
    }
  }
  for (ServerId id : missing) recovery.add_missing_servers(id.value());
  return recovery;
}

proto::PgStatus StatusOf(const Cluster::GroupView& view) {
  proto::PgStatus status;
  status.set_pg_id(view.id.value());
  status.set_epoch(view.group.epoch.value());
  status.set_replicas(view.group.replicas);
  status.set_min_replicas(MinReplicas(view.group.replicas));
  status.set_primary(view.group.primary.value());
  status.set_writable(view.writable);
  for (const GroupMember& member : view.group.members) {
    proto::PgMemberEntry* entry = status.add_members();
    entry->set_server_id(member.id.value());
    entry->set_state(StateOf(member.state));
    entry->set_alive(view.alive.contains(member.id));
    entry->set_since_epoch(member.since.value());
    auto progress = view.progress.find(member.id);
    if (member.state != MemberState::kJoining || progress == view.progress.end()) continue;
    entry->set_progress_known(true);
    entry->set_chunks_left(progress->second.chunks_left());
    entry->set_bytes_left(progress->second.bytes_left());
    entry->set_bytes_sent(progress->second.bytes_sent());
  }
  return status;
}

}  // namespace gabion
