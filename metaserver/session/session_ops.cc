#include "metaserver/session/session_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "common/base/log.h"
#include "common/env/mutate.h"
#include "common/lock/lock_message.h"
#include "metaserver/op/inode.h"

namespace gabion {

namespace {

// Ids are plentiful, questions are not: a range lasts a busy client for some seconds.
constexpr std::uint64_t kFirstDelegation = 1 << 16;
constexpr std::uint64_t kMaxDelegation = 1 << 20;
constexpr std::size_t kMaxTextBytes = 4096;  // of host names, mount points, subdirectories
constexpr int kMaxSubdirDepth = 256;

void SetRange(std::uint64_t first, std::uint64_t count, proto::IdRange* range) {
  range->set_first(first);
  range->set_count(count);
}

Error Expired(std::uint64_t session, const std::string& volume) {
  return Error(ErrorCode::kSessionExpired,
               fmt::format("session {} of volume '{}' is unknown or has expired", session, volume));
}

/// The directory at `path` below the volume's root; "" is the root. Links are not followed: what is mounted shall not
/// change with a name. Errors: kNotFound, kNotDirectory, those of Txn.
Result<Ino> ResolveSubdir(Txn& txn, std::string_view path) {
  Ino ino = kRootIno;
  int depth = 0;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (++depth > kMaxSubdirDepth)
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("a subdirectory more than {} levels deep", kMaxSubdirDepth));
    TRY(CheckName(name));
    TRY_ASSIGN(std::optional<records::Dentry> dentry, txn.FindDentry(ino, name));
    if (!dentry) return Error(ErrorCode::kNotFound, fmt::format("the volume has no directory '{}' there", name));
    if (!S_ISDIR(dentry->type_mode()))
      return Error(ErrorCode::kNotDirectory, fmt::format("'{}' is not a directory", name));
    ino = Ino(dentry->ino());
  }
  return ino;
}

/// Which of the handles that the client says it has open it can have in this session; the others are lost. `session`
/// may know some already. Errors: those of Txn.
Result<std::vector<OpEffects::Opened>> ReclaimHandles(Txn& txn, const proto::OpenSessionRequest& request,
                                                      const Session& session, proto::OpenSessionReply& reply) {
  reply.clear_lost_handles();
  std::map<HandleId, Ino> reclaimed;
  Result<void> blocked;
  for (const proto::OpenHandle& handle : request.reclaim()) {
    const HandleId id(handle.handle_id());
    const Ino ino(handle.ino());
    if (auto known = session.handles.find(id); known != session.handles.end()) {
      if (known->second != ino) reply.add_lost_handles(id.value());
      continue;
    }
    Result<std::optional<records::Inode>> inode = txn.FindInode(ino);
    if (!inode) {
      if (inode.error().code() != ErrorCode::kWouldBlock) return inode.error();
      blocked = inode.error();  // go on: one round of loading brings all
      continue;
    }
    const bool usable = id && inode->has_value() && reclaimed.size() < SessionTable::kMaxHandlesPerSession;
    if (!usable || reclaimed.emplace(id, ino).first->second != ino) reply.add_lost_handles(id.value());
  }
  TRY(blocked);
  std::vector<OpEffects::Opened> opened;
  for (const auto& [id, ino] : reclaimed) opened.push_back({id, ino});
  return opened;
}

/// What of the locks that a session's client names it still has. This process knows them if it was asked for them;
/// those of before are the session's again, for nobody else gets any before it is written down that it has lost them.
void ReclaimLocks(VolumeState& state, const Session& session, const proto::OpenSessionRequest& request,
                  proto::OpenSessionReply& reply) {
  reply.clear_lost_locks();
  // What the client has given out itself, as the file's writer, was nobody else's as long as it was not evicted. Not by
  // a request that was answered, or overtaken, before.
  const bool is_writers = !session.evicted && !session.barred && request.resumed_at() == session.resumed_at;
  const bool may_have_more = session.MayReclaim() || is_writers;
  for (const proto::FileLock& message : request.reclaim_locks()) {
    const Ino ino(message.ino());
    const Result<RangeLock> lock = FromMessage(session.id, message);
    const bool is_free =
        lock && may_have_more && state.locks.HasRoom(session.id) && state.locks.FindConflict(ino, *lock) == nullptr;
    if (is_free) state.locks.Set(ino, *lock);
    if (!lock || !state.locks.Covers(ino, *lock)) *reply.add_lost_locks() = message;
  }
}

/// The data versions of the files whose lease the session may have given back with a commit. Errors: those of Txn.
Result<std::map<Ino, std::uint64_t>> FindVersions(Txn& txn, const proto::OpenSessionRequest& request) {
  std::map<Ino, std::uint64_t> versions;
  Result<void> blocked;
  for (const proto::WrittenFile& file : request.reclaim_writes()) {
    if (file.version_before() == 0) continue;
    Result<std::optional<records::Inode>> inode = txn.FindInode(Ino(file.ino()));
    if (!inode && inode.error().code() != ErrorCode::kWouldBlock) return inode.error();
    if (!inode) blocked = inode.error();  // go on: one round of loading brings all
    if (inode && *inode) versions[Ino(file.ino())] = (*inode)->data_version();
  }
  TRY(blocked);
  return versions;
}

/// Which of the write leases that a session's client names it still has: as for locks. One that it may have given back
/// with a commit it has if that was not done.
void ReclaimWrites(const VolumeState& state, const Session& session, const proto::OpenSessionRequest& request,
                   const std::map<Ino, std::uint64_t>& versions, proto::OpenSessionReply& reply) {
  reply.clear_kept_writes();
  reply.clear_lost_writes();
  for (const proto::WrittenFile& file : request.reclaim_writes()) {
    const Ino ino(file.ino());
    const auto version = versions.find(ino);
    const bool is_given_back =
        file.version_before() != 0 && (version == versions.end() || version->second != file.version_before());
    const bool is_free = session.MayReclaim() && state.leases.Holders(ino).empty() && !is_given_back;
    const bool has_room = static_cast<std::size_t>(reply.kept_writes_size()) < LeaseTable::kMaxPerSession;
    const bool is_kept =
        !session.evicted && !session.read_only && has_room && (state.leases.Writer(ino) == session.id || is_free);
    (is_kept ? reply.mutable_kept_writes() : reply.mutable_lost_writes())->Add(file.ino());
  }
}

/// A session begins, and goes on, without leases but those for writing that it keeps: the client has forgotten what it
/// had before it asked.
void BeginLeases(VolumeState& state, SessionId id, proto::OpenSessionReply& reply, TimePoint now) {
  LeaseTable& leases = state.leases;
  leases.Drop(id);
  leases.ForgetGrants(id);  // what it waits for it asks for again
  reply.mutable_note()->set_era(leases.era());
  reply.mutable_note()->set_number(leases.TakeNumber());  // of its own: the client says by it what it has heard
  const std::uint64_t number = leases.TakeNumber();
  for (std::uint64_t ino : reply.kept_writes()) leases.Grant(id, Ino(ino), LeaseTable::Mode::kWrite, number, now);
}

}  // namespace

Task<Result<proto::OpenSessionReply>> SessionOps::Complete(const Volume& volume, proto::OpenSessionReply reply) {
  reply.set_volume_id(volume.id().value());
  reply.set_ttl_ms(
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(options_.session_ttl).count()));
  reply.set_cluster_id(cluster_.cluster_id());
  reply.set_power_losses(cluster_.power_losses());
  Result<proto::ClusterMap> map = co_await cluster_.Map();
  CO_TRY_ASSIGN(*reply.mutable_map(), std::move(map));
  co_return reply;
}

Task<Result<proto::OpenSessionReply>> SessionOps::Open(proto::OpenSessionRequest request, Env& env) {
  for (const std::string* text :
       {&request.volume(), &request.subdir(), &request.host(), &request.software(), &request.mountpoint()}) {
    if (text->size() > kMaxTextBytes)
      co_return Error(ErrorCode::kInvalidArgument,
                      fmt::format("a text of {} bytes; {} is the limit", text->size(), kMaxTextBytes));
  }
  std::shared_ptr<Volume> volume = volumes_.FindByName(request.volume());
  if (!volume) co_return Error(ErrorCode::kNotFound, fmt::format("no volume '{}'", request.volume()));
  Task<Result<proto::OpenSessionReply>> opening = request.session_id() == 0
                                                      ? OpenNew(std::move(volume), std::move(request), env)
                                                      : Resume(std::move(volume), std::move(request), env);
  Result<proto::OpenSessionReply> reply = co_await std::move(opening);
  co_return reply;
}

Task<Result<proto::OpenSessionReply>> SessionOps::OpenNew(std::shared_ptr<Volume> volume,
                                                          proto::OpenSessionRequest request, Env& env) {
  CO_TRY_ASSIGN(const std::uint64_t number, cluster_.TakeIds(Counter::kSessionId, 1));
  CO_TRY_ASSIGN(const std::uint64_t first_chunk_id, cluster_.TakeIds(Counter::kChunkId, kFirstDelegation));
  Session session;
  proto::OpenSessionReply reply;
  std::vector<OpEffects::Opened> reclaimed;  // of an expired session that this one takes the place of
  Volume::Decision decide = [&](Txn& txn, OpContext& context) -> Result<void> {
    if (context.state.sessions.size() >= SessionTable::kMaxSessions) {
      return Error(ErrorCode::kOverloaded, fmt::format("volume '{}' has {} sessions, the limit", request.volume(),
                                                       context.state.sessions.size()));
    }
    session = Session();
    TRY_ASSIGN(session.root_ino, ResolveSubdir(txn, request.subdir()));
    session.id = SessionId(number);
    session.host = request.host();
    session.software = request.software();
    session.mountpoint = request.mountpoint();
    session.read_only = request.read_only();
    session.opened_ns = context.now_ns;
    session.NoteRenewal(env.clock.Now());
    session.inos.Add(context.state.next_ino, kFirstDelegation);
    session.chunk_ids.Add(first_chunk_id, kFirstDelegation);
    SetRange(context.state.next_ino, kFirstDelegation, reply.mutable_inos());
    SetRange(first_chunk_id, kFirstDelegation, reply.mutable_chunk_ids());
    *reply.mutable_lost_locks() = request.reclaim_locks();  // with the session that had them
    reply.clear_lost_writes();
    for (const proto::WrittenFile& file : request.reclaim_writes()) reply.add_lost_writes(file.ino());
    TRY_ASSIGN(reclaimed, ReclaimHandles(txn, request, session, reply));
    reply.set_root_ino(session.root_ino.value());
    records::VolumeState state;
    state.set_next_ino(context.state.next_ino + kFirstDelegation);
    txn.PutVolumeState(state);
    txn.PutSession(session.id, session.ToRecord());
    return {};
  };
  Volume::Publish publish = [&](VolumeState& state) {
    state.next_ino += kFirstDelegation;
    const SessionId id = session.id;
    state.sessions.Add(std::move(session));
    Session& added = *state.sessions.Find(id);
    for (const OpEffects::Opened& opened : reclaimed) state.sessions.OpenHandle(added, opened.handle, opened.ino);
    BeginLeases(state, id, reply, env.clock.Now());
    added.resumed_at = reply.note().number();
  };
  Result<void> opened = co_await volume->Run(std::move(decide), std::move(publish), env);
  if (!opened && opened.error().code() == ErrorCode::kStale)
    co_return Error(ErrorCode::kNotFound, fmt::format("volume '{}' was deleted", request.volume()));
  CO_TRY(opened);
  Result<void> durable = co_await cluster_.MakeDurable();
  CO_TRY(durable);
  reply.set_session_id(number);
  LogInfo("session {}: host '{}' mounted volume '{}' at '{}'", number, request.host(), request.volume(),
          request.mountpoint());
  Result<proto::OpenSessionReply> completed = co_await Complete(*volume, std::move(reply));
  co_return completed;
}

Task<Result<proto::OpenSessionReply>> SessionOps::Resume(std::shared_ptr<Volume> volume,
                                                         proto::OpenSessionRequest request, Env& env) {
  const SessionId id(request.session_id());
  proto::OpenSessionReply reply;
  std::vector<OpEffects::Opened> reclaimed;
  std::map<Ino, std::uint64_t> versions;
  Volume::Decision decide = [&](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    if (session == nullptr) return Expired(id.value(), request.volume());
    // Whatever it names now it would lose in a moment.
    if (session->evict_requested && !Mutated("lease.resume_evicting"))
      return Error(ErrorCode::kUnavailable, "the session is being evicted");
    TRY_ASSIGN(versions, FindVersions(txn, request));
    TRY_ASSIGN(reclaimed, ReclaimHandles(txn, request, *session, reply));
    return {};
  };
  bool first_time = false;
  Volume::Publish publish = [&](VolumeState& state) {
    Session* session = state.sessions.Find(id);
    for (const OpEffects::Opened& opened : reclaimed) state.sessions.OpenHandle(*session, opened.handle, opened.ino);
    ReclaimLocks(state, *session, request, reply);
    ReclaimWrites(state, *session, request, versions, reply);
    session->evicted = session->must_resume = session->loss_heard = false;
    first_time = !session->resumed;
    state.sessions.MarkResumed(*session);
    session->NoteRenewal(env.clock.Now());
    reply.set_root_ino(session->root_ino.value());
    BeginLeases(state, id, reply, session->renewed);
    session->resumed_at = reply.note().number();
    reply.set_evictions(session->evictions);
  };
  Result<void> resumed = co_await volume->Run(std::move(decide), std::move(publish), env);
  if (!resumed) {
    // A deleted volume's sessions went with it.
    if (resumed.error().code() == ErrorCode::kStale) co_return Expired(id.value(), request.volume());
    co_return resumed.error();
  }
  if (reply.evictions() > 0) {  // the count may be of a moment ago: what is sent under it may not be refused later
    Result<void> durable = co_await cluster_.MakeDurable();
    CO_TRY(durable);
  }
  reply.set_session_id(id.value());
  if (first_time) {
    LogInfo("session {}: host '{}' resumed volume '{}' with {} open files, {} lost", id.value(), request.host(),
            request.volume(), reclaimed.size(), reply.lost_handles_size());
  }
  Result<proto::OpenSessionReply> completed = co_await Complete(*volume, std::move(reply));
  co_return completed;
}

Task<Result<proto::RenewSessionReply>> SessionOps::Renew(proto::RenewSessionRequest request, Env& env) {
  std::shared_ptr<Volume> volume = volumes_.Find(VolumeId(request.volume_id()));
  proto::RenewSessionReply reply;
  const std::shared_ptr<const Placement> placement = cluster_.placement();
  const bool live = volume && volume->WithState([&](VolumeState& state) {
    Session* session = state.closed ? nullptr : state.sessions.Find(SessionId(request.session_id()));
    if (session == nullptr) return false;
    RenewOn(state, *session, env.clock.Now(), reply);
    session->loss_heard |= session->resumed_at != 0 && request.resumed_at() == session->resumed_at;
    if (request.has_dirty_bytes()) session->dirty_bytes = request.dirty_bytes();
    reply.set_free_bytes(placement->servers().FreeBytes(state.record.replicas()));
    reply.set_sessions(static_cast<std::uint32_t>(state.sessions.size()));
    return true;
  });
  if (!live) co_return Expired(request.session_id(), volume ? volume->name() : std::to_string(request.volume_id()));
  reply.set_ttl_ms(
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(options_.session_ttl).count()));
  Result<std::optional<proto::ClusterMap>> newer = co_await cluster_.MapIfNewer(request.map_version());
  CO_TRY_ASSIGN(std::optional<proto::ClusterMap> map, std::move(newer));
  if (map) *reply.mutable_map() = std::move(*map);
  co_return reply;
}

/// What it holds is good for longer, unless it is to be evicted. Read leases that it does not return it loses with
/// their time to live, as one that is away; for what it has written others wait as long as it is there.
void SessionOps::RenewOn(VolumeState& state, Session& session, TimePoint now, proto::RenewSessionReply& reply) const {
  const Duration ttl = options_.session_ttl;
  const bool reads_lapsed = now >= session.reads_renewed + ttl;
  if (reads_lapsed) state.leases.DropReads(session.id);
  if (now >= session.renewed + ttl) session.must_resume |= state.locks.Involves(session.id);
  const bool overdue = state.leases.IsOverdue(session.id, now - ttl);
  session.last_heard = now;
  if (!session.evict_requested) session.renewed = now;
  if (!session.evict_requested && !overdue) session.reads_renewed = now;
  reply.set_lapsed(reads_lapsed);
  reply.set_must_resume(session.must_resume || session.evicted);
  reply.set_reads_overdue(overdue);
}

Task<Result<proto::CloseSessionReply>> SessionOps::Close(proto::CloseSessionRequest request, Env& env) {
  std::shared_ptr<Volume> volume = volumes_.Find(VolumeId(request.volume_id()));
  if (volume) {
    Result<void> ended = co_await EndSession(volume, SessionId(request.session_id()), env);
    CO_TRY(ended);
    LogInfo("session {} of volume '{}' was closed", request.session_id(), volume->name());
  }
  co_return proto::CloseSessionReply();
}

Task<Result<proto::DelegateIdsReply>> SessionOps::DelegateIds(proto::DelegateIdsRequest request, Env& env) {
  std::shared_ptr<Volume> volume = volumes_.Find(VolumeId(request.volume_id()));
  if (!volume) co_return Expired(request.session_id(), std::to_string(request.volume_id()));
  const std::uint64_t ino_count = std::min(request.inos(), kMaxDelegation);
  const std::uint64_t chunk_count = std::min(request.chunk_ids(), kMaxDelegation);
  std::uint64_t first_chunk_id = 0;
  if (chunk_count > 0) {
    CO_TRY_ASSIGN(first_chunk_id, cluster_.TakeIds(Counter::kChunkId, chunk_count));
  }
  const SessionId id(request.session_id());
  std::uint64_t first_ino = 0;
  Volume::Decision decide = [&](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    if (session == nullptr) return Expired(id.value(), volume->name());
    first_ino = context.state.next_ino;
    records::Session record = session->ToRecord();
    IdRanges inos = session->inos;
    IdRanges chunk_ids = session->chunk_ids;
    inos.Add(first_ino, ino_count);
    chunk_ids.Add(first_chunk_id, chunk_count);
    inos.Store(record.mutable_inos());
    chunk_ids.Store(record.mutable_chunk_ids());
    records::VolumeState state;
    state.set_next_ino(first_ino + ino_count);
    txn.PutVolumeState(state);
    txn.PutSession(id, record);
    return {};
  };
  Volume::Publish publish = [&](VolumeState& state) {
    Session* session = state.sessions.Find(id);
    session->inos.Add(first_ino, ino_count);
    session->chunk_ids.Add(first_chunk_id, chunk_count);
    session->last_heard = env.clock.Now();
    state.next_ino += ino_count;
  };
  Result<void> delegated = co_await volume->Run(std::move(decide), std::move(publish), env);
  CO_TRY(delegated);
  Result<void> durable = co_await cluster_.MakeDurable();
  CO_TRY(durable);
  proto::DelegateIdsReply reply;
  if (ino_count > 0) SetRange(first_ino, ino_count, reply.mutable_inos());
  if (chunk_count > 0) SetRange(first_chunk_id, chunk_count, reply.mutable_chunk_ids());
  co_return reply;
}

Task<Result<void>> EndSession(std::shared_ptr<Volume> volume, SessionId id, Env& env) {
  Volume::Decision decide = [&](Txn& txn, OpContext& context) -> Result<void> {
    const Session* session = context.state.sessions.Find(id);
    if (session == nullptr) return {};
    records::Session record = session->ToRecord();
    record.set_closed(true);
    txn.PutSession(id, record);
    return {};
  };
  Volume::Publish publish = [&](VolumeState& state) {
    if (state.sessions.Find(id) == nullptr) return;
    state.sessions.Remove(id);
    state.leases.End(id);
    state.locks.Drop(id);
    state.ended_sessions.insert(id);
  };
  Result<void> ended = co_await volume->Run(std::move(decide), std::move(publish), env);
  co_return ended;
}

}  // namespace gabion
