#include "metaserver/admin/client_ops.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/log.h"

namespace gabion {

namespace {

// Texts of a session are some kilobytes each at worst: entries end before a frame's header does (1 MiB).
constexpr std::size_t kMaxReplyBytes = 512 * 1024;

std::uint64_t MillisecondsSince(TimePoint then, TimePoint now) {
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - then).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(passed, 0));
}

proto::ClientState StateOf(const Session& session, bool has_lapsed) {
  if (session.evict_requested) return proto::CLIENT_EVICTING;
  if (session.evicted) return proto::CLIENT_EVICTED;
  if (has_lapsed) return proto::CLIENT_SILENT;
  return session.resumed && !session.must_resume ? proto::CLIENT_ACTIVE : proto::CLIENT_RESUMING;
}

Error NoSession(SessionId id) {
  return Error(ErrorCode::kNotFound, fmt::format("no client has session {}; it may have ended", id.value()));
}

}  // namespace

proto::ClientEntry ClientOps::EntryOf(const VolumeState& state, const Session& session, TimePoint now) const {
  proto::ClientEntry entry;
  entry.set_session_id(session.id.value());
  entry.set_volume_id(state.id.value());
  entry.set_volume(state.record.name());
  entry.set_host(session.host);
  entry.set_mountpoint(session.mountpoint);
  entry.set_software(session.software);
  entry.set_read_only(session.read_only);
  entry.set_state(StateOf(session, now >= session.renewed + options_.session_ttl));
  entry.set_renewed_ms(MillisecondsSince(session.renewed, now));
  entry.set_heard_ms(MillisecondsSince(session.last_heard, now));
  entry.set_opened_ns(session.opened_ns);
  entry.set_open_handles(session.handles.size());
  entry.set_leases(state.leases.CountOf(session.id));
  entry.set_recalls(state.leases.RecallCountOf(session.id));
  for (const LeaseTable::Outstanding& oldest : state.leases.OldestRecalls(session.id, 1))
    entry.set_recall_ms(MillisecondsSince(oldest.since, now));
  return entry;
}

Result<proto::ClientListReply> ClientOps::List(const proto::ClientListRequest& request, Env& env) {
  std::vector<std::shared_ptr<Volume>> volumes = volumes_.List();
  if (!request.volume().empty()) {
    volumes = {volumes_.FindByName(request.volume())};
    if (!volumes.front()) return Error(ErrorCode::kNotFound, fmt::format("no volume '{}'", request.volume()));
  }
  const std::uint32_t wanted = request.max_clients() == 0 ? kMaxClientsPerReply : request.max_clients();
  const std::uint32_t max_clients = std::min(wanted, kMaxClientsPerReply);
  const VolumeId after_volume(request.after_volume_id());
  const TimePoint now = env.clock.Now();
  proto::ClientListReply reply;
  std::size_t bytes = 0;
  for (const std::shared_ptr<Volume>& volume : volumes) {
    if (volume->id() < after_volume) continue;
    const SessionId after(volume->id() == after_volume ? request.after_session_id() : 0);
    volume->WithState([&](const VolumeState& state) {
      if (state.closed) return;
      const auto& sessions = state.sessions.all();
      for (auto next = sessions.upper_bound(after); next != sessions.end() && !reply.more(); ++next) {
        reply.set_more(static_cast<std::uint32_t>(reply.clients_size()) >= max_clients || bytes >= kMaxReplyBytes);
        if (reply.more()) return;
        *reply.add_clients() = EntryOf(state, next->second, now);
        bytes += reply.clients().rbegin()->ByteSizeLong();
      }
    });
  }
  return reply;
}

Result<std::shared_ptr<Volume>> ClientOps::VolumeOf(SessionId id) const {
  for (const std::shared_ptr<Volume>& volume : volumes_.List()) {
    const bool has_it = volume->WithState(
        [id](const VolumeState& state) { return !state.closed && state.sessions.Find(id) != nullptr; });
    if (has_it) return volume;
  }
  return NoSession(id);
}

Result<proto::ClientShowReply> ClientOps::Show(const proto::ClientShowRequest& request, Env& env) {
  const SessionId id(request.session_id());
  TRY_ASSIGN(const std::shared_ptr<Volume> volume, VolumeOf(id));
  const TimePoint now = env.clock.Now();
  return volume->WithState([&](const VolumeState& state) -> Result<proto::ClientShowReply> {
    const Session* session = state.sessions.Find(id);
    if (session == nullptr) return NoSession(id);
    proto::ClientShowReply reply;
    *reply.mutable_client() = EntryOf(state, *session, now);
    const std::size_t written = state.leases.WrittenBy(id).size();
    reply.set_write_leases(written);
    reply.set_read_leases(state.leases.CountOf(id) - written);
    for (const LeaseTable::Outstanding& recalled : state.leases.OldestRecalls(id, kMaxRecallsShown)) {
      proto::ClientRecall& recall = *reply.add_oldest_recalls();
      recall.set_ino(recalled.ino.value());
      recall.set_write(recalled.mode == LeaseTable::Mode::kWrite);
      recall.set_asked_ms(MillisecondsSince(recalled.since, now));
    }
    reply.set_recalls_total(state.leases.RecallsTotalOf(id));
    const LockTable::Counts locks = state.locks.CountsOf(id);
    reply.set_locks(locks.held);
    reply.set_lock_waits(locks.waits);
    reply.set_evictions(session->evictions);
    if (session->dirty_bytes) reply.set_dirty_bytes(*session->dirty_bytes);
    return reply;
  });
}

Task<Result<proto::ClientEvictReply>> ClientOps::Evict(proto::ClientEvictRequest request, Env& env) {
  const SessionId id(request.session_id());
  Result<std::shared_ptr<Volume>> found = VolumeOf(id);
  CO_TRY_ASSIGN(const std::shared_ptr<Volume> volume, std::move(found));
  Result<void> requested = co_await volume->RequestEviction(id, env);
  CO_TRY(requested);
  proto::ClientEvictReply reply;
  const bool is_there = volume->WithState([&](const VolumeState& state) {
    const Session* session = state.sessions.Find(id);
    if (session != nullptr) *reply.mutable_client() = EntryOf(state, *session, env.clock.Now());
    return session != nullptr;
  });
  if (!is_there) co_return NoSession(id);
  LogInfo("session {} of volume '{}' is to be evicted: the administrator has asked for it", id.value(), volume->name());
  co_return reply;
}

}  // namespace gabion
