#include "common/base/log.h"
#include "common/env/mutate.h"
#include "metaserver/op/inode.h"
#include "metaserver/volume/volume.h"

// What leases have to do with ops: who is in the way of a change, and what an answer grants (docs/leases.md).

namespace gabion {

Volume::Wants::~Wants() {
  if (inodes_.empty()) return;
  const std::lock_guard lock(volume_.mutex_);
  for (Ino ino : inodes_) volume_.state_.leases.EndWanting(own_, ino);
}

void Volume::Wants::Add(SessionId own, Ino ino, LeaseTable::Mode mode, TimePoint now) {
  own_ = own;
  if (inodes_.insert(ino).second) volume_.state_.leases.BeginWanting(own, ino, mode, now);
}

Result<std::shared_ptr<AsyncEvent>> Volume::FindObstacle(Wants& wants, const Txn& txn, const OpContext& context) {
  LeaseTable& leases = state_.leases;
  if (!context.waits) return std::shared_ptr<AsyncEvent>();
  const SessionId own = context.session == nullptr ? SessionId() : context.session->id;
  std::set<Ino> touched = txn.changed();
  touched.insert(context.exclusive.begin(), context.exclusive.end());
  std::shared_ptr<AsyncEvent> obstacle;
  using Mode = LeaseTable::Mode;
  const auto wait_for = [&](Ino ino, Mode mode) {
    wants.Add(own, ino, mode, context.now);
    if (!obstacle) obstacle = leases.NextReturn(ino, wants.wait_until());
  };
  // In grace nobody knows yet who else holds leases, but for those that a writer has claimed.
  const bool in_grace = state_.InGrace() && !Mutated("lease.no_grace");
  const auto may_be_held = [&](Ino ino) { return in_grace && !(own && leases.Writer(ino) == own); };
  for (Ino ino : touched) {
    if (may_be_held(ino)) wait_for(ino, Mode::kWrite);
    if (IsHeldElsewhere(own, ino, context.now) && !Mutated("lease.skip_recall")) wait_for(ino, Mode::kWrite);
  }
  for (Ino ino : context.shown) {
    const SessionId writer = leases.Writer(ino);
    if (may_be_held(ino) && !Mutated("lease.show_in_grace")) wait_for(ino, Mode::kRead);
    if (writer && writer != own && !Mutated("lease.show_unflushed")) wait_for(ino, Mode::kRead);
  }
  if (obstacle && leases.closed()) return Error(ErrorCode::kUnavailable, "the server is stopping");
  if (Mutated("lease.wake_early")) obstacle.reset();
  return obstacle;
}

bool Volume::IsHeldElsewhere(SessionId own, Ino ino, TimePoint now) {
  bool held = false;
  for (SessionId holder : state_.leases.Holders(ino)) {
    if (holder == own) continue;
    if (state_.leases.Writer(ino) != holder && HaveReadsLapsed(holder, now)) {
      state_.leases.DropReads(holder);
    } else {
      held = true;
    }
  }
  return held;
}

bool Volume::HasLapsed(SessionId id, TimePoint now) const {
  const Session* session = state_.sessions.Find(id);
  const Duration ttl = Mutated("lease.short_session") ? session_ttl_ / 8 : session_ttl_;
  if (session != nullptr && session->evict_requested && Mutated("lease.evict_at_once")) return true;
  return session == nullptr || now >= session->renewed + ttl;
}

bool Volume::HaveReadsLapsed(SessionId id, TimePoint now) const {
  const Session* session = state_.sessions.Find(id);
  const Duration ttl = Mutated("lease.short_session") ? session_ttl_ / 8 : session_ttl_;
  return session == nullptr || now >= session->reads_renewed + ttl;
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
  if (const auto& downgraded = context.effects.downgraded) {
    leases.Downgrade(context.session->id, downgraded->ino, downgraded->number);
  }
  const auto grant = [&](const std::vector<Ino>& inodes, LeaseTable::Mode mode) {
    for (Ino ino : inodes) leases.Grant(context.session->id, ino, mode, note.number(), context.now);
  };
  grant(context.effects.leased, LeaseTable::Mode::kRead);
  grant(context.effects.write_leased, LeaseTable::Mode::kWrite);
  proto::NotedReply noted;
  *noted.mutable_note() = std::move(note);
  // Messages that follow each other are one message.
  reply += noted.SerializeAsString();
}

void Volume::TendLeases(TimePoint now) {
  const std::lock_guard lock(mutex_);
  LeaseTable& leases = state_.leases;
  leases.EndWaits(now);
  for (Ino ino : leases.Wanted()) (void)IsHeldElsewhere(SessionId(), ino, now);
  if (state_.grace_over || state_.InGrace()) return;
  state_.grace_over = true;
  leases.WakeAllWaiting();
}

void Volume::CloseLeases() {
  const std::lock_guard lock(mutex_);
  state_.leases.Close();
}

}  // namespace gabion
