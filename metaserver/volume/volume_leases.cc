#include "common/base/log.h"
#include "common/env/mutate.h"
#include "metaserver/op/inode.h"
#include "metaserver/volume/volume.h"

// What leases have to do with ops: who is in the way of a change, and what an answer grants (docs/leases.md).

namespace gabion {

Volume::Wants::~Wants() {
  if (inodes_.empty()) return;
  const std::lock_guard lock(volume_.mutex_);
  for (Ino ino : inodes_) volume_.state_.leases.EndWanting(ino);
}

void Volume::Wants::Add(SessionId own, Ino ino, TimePoint now) {
  if (inodes_.insert(ino).second) volume_.state_.leases.BeginWanting(own, ino, now);
}

Result<std::shared_ptr<AsyncEvent>> Volume::FindObstacle(Wants& wants, SessionId own, const std::set<Ino>& changed,
                                                         TimePoint now) {
  LeaseTable& leases = state_.leases;
  std::shared_ptr<AsyncEvent> obstacle;
  if (changed.empty()) return obstacle;
  // Sessions of before this process may hold leases that nobody knows of, until they have come back or lapsed.
  if (state_.InGrace(now) && !Mutated("lease.no_grace")) {
    wants.Add(own, *changed.begin(), now);
    obstacle = leases.NextReturn(*changed.begin());
  }
  for (Ino ino : changed) {
    bool held = false;
    for (SessionId holder : leases.Holders(ino)) {
      if (holder == own) continue;
      if (HasLapsed(holder, now)) {
        leases.Drop(holder);
      } else {
        held = true;
      }
    }
    if (!held || Mutated("lease.skip_recall")) continue;
    wants.Add(own, ino, now);
    if (!obstacle) obstacle = leases.NextReturn(ino);
  }
  if (obstacle && leases.closed()) return Error(ErrorCode::kUnavailable, "the server is stopping");
  if (Mutated("lease.wake_early")) obstacle.reset();
  return obstacle;
}

bool Volume::HasLapsed(SessionId id, TimePoint now) const {
  const Session* session = state_.sessions.Find(id);
  const Duration ttl = Mutated("lease.short_session") ? session_ttl_ / 8 : session_ttl_;
  return session == nullptr || now >= session->renewed + ttl;
}

proto::LeaseNote Volume::NoteChanges(Txn& txn, OpContext& context) {
  proto::LeaseNote note;
  for (const Txn::ChangedEntry& changed : txn.changed_entries()) {
    proto::ChangedEntry& entry = *note.add_entries();
    entry.set_directory(changed.directory.value());
    entry.set_name(changed.name);
    entry.set_ino(changed.ino.value());
    entry.set_mode(changed.type_mode);
  }
  const std::set<Ino> shown(context.effects.leased.begin(), context.effects.leased.end());
  for (Ino ino : txn.changed()) {
    note.add_changed(ino.value());
    if (shown.contains(ino)) continue;
    Result<std::optional<records::Inode>> inode = txn.FindInode(ino);  // it is staged: nothing to wait for
    if (!inode || !*inode || !IsDirectory(**inode)) continue;
    proto::Attr attr = MakeAttr(context, ino, **inode);
    if (attr.leased()) *note.add_directories() = std::move(attr);
  }
  return note;
}

void Volume::NoteLeases(proto::LeaseNote note, const OpContext& context, std::string& reply) {
  LeaseTable& leases = state_.leases;
  note.set_era(leases.era());
  note.set_number(leases.TakeNumber());
  for (Ino ino : context.effects.leased) leases.Grant(context.session->id, ino, note.number(), context.now);
  proto::NotedReply noted;
  *noted.mutable_note() = std::move(note);
  // Messages that follow each other are one message.
  reply += noted.SerializeAsString();
}

void Volume::TendLeases(TimePoint now) {
  const std::lock_guard lock(mutex_);
  LeaseTable& leases = state_.leases;
  leases.EndWaits(now);
  for (Ino ino : leases.Wanted()) {
    for (SessionId holder : leases.Holders(ino)) {
      if (HasLapsed(holder, now)) leases.Drop(holder);
    }
  }
  if (state_.grace_over || state_.InGrace(now)) return;
  state_.grace_over = true;
  leases.WakeAllWaiting();
}

void Volume::CloseLeases() {
  const std::lock_guard lock(mutex_);
  state_.leases.Close();
}

}  // namespace gabion
