#include <fmt/format.h>

#include "common/base/log.h"
#include "metaserver/store/scan_all.h"
#include "metaserver/volume/volume.h"

namespace gabion {

namespace {

/// What a scan of the volume's tables brings together before it becomes the volume's state.
struct Loaded {
  bool has_state = false;
  records::VolumeState record;
  records::VolumeStats stats;
  std::map<SessionId, Session> sessions;
  std::set<SessionId> ended_sessions;
  std::map<SessionId, std::uint64_t> floors;
  std::set<Ino> orphans, reclaims;
};

}  // namespace

Task<Result<void>> Volume::Load(Env& env) {
  Loaded loaded;
  const TimePoint now = env.clock.Now();
  const VolumeId id = state_.id;
  struct Step {
    std::string prefix;
    RecordVisitor visit;
  };
  std::vector<Step> steps;
  steps.push_back({VolumeStateKey(id), [&](std::string_view key, std::string_view value) {
                     loaded.has_state = true;
                     return DecodeRecordInto(key, value, loaded.record);
                   }});
  steps.push_back({VolumeStatsKey(id), [&](std::string_view key, std::string_view value) {
                     return DecodeRecordInto(key, value, loaded.stats);
                   }});
  steps.push_back({TablePrefix(Table::kSession, id), [&](std::string_view key, std::string_view value) -> Result<void> {
                     TRY_ASSIGN(const SessionKeyParts parts, DecodeSessionKey(key));
                     TRY_ASSIGN(const records::Session record, DecodeRecord<records::Session>(key, value));
                     if (record.closed()) {
                       loaded.ended_sessions.insert(parts.session);
                     } else {
                       loaded.sessions.emplace(parts.session, Session::FromRecord(parts.session, record, now));
                     }
                     return {};
                   }});
  steps.push_back({TablePrefix(Table::kOpReply, id), [&](std::string_view key, std::string_view value) -> Result<void> {
                     TRY_ASSIGN(const OpReplyKeyParts parts, DecodeOpReplyKey(key));
                     TRY_ASSIGN(const records::OpReply record, DecodeRecord<records::OpReply>(key, value));
                     auto session = loaded.sessions.find(parts.session);
                     if (session == loaded.sessions.end()) return {};
                     session->second.window.RecordStored(parts.seq);
                     std::uint64_t& floor = loaded.floors[parts.session];
                     floor = std::max(floor, record.acked_below());
                     return {};
                   }});
  steps.push_back({TablePrefix(Table::kOrphan, id), [&](std::string_view key, std::string_view) -> Result<void> {
                     TRY_ASSIGN(const InodeKeyParts parts, DecodeInodeKey(Table::kOrphan, key));
                     loaded.orphans.insert(parts.ino);
                     return {};
                   }});
  steps.push_back({TablePrefix(Table::kReclaim, id), [&](std::string_view key, std::string_view) -> Result<void> {
                     TRY_ASSIGN(const InodeKeyParts parts, DecodeInodeKey(Table::kReclaim, key));
                     loaded.reclaims.insert(parts.ino);
                     return {};
                   }});
  for (Step& step : steps) {
    Result<void> scanned = co_await ScanAll(kv_, step.prefix, step.visit);
    if (!scanned) co_return scanned.error().WithContext(fmt::format("loading volume '{}'", name_));
  }
  if (!loaded.has_state) {
    co_return Error(ErrorCode::kCorrupt,
                    fmt::format("volume '{}': its record {} is missing", name_, DescribeKey(VolumeStateKey(id))));
  }

  const std::lock_guard lock(mutex_);
  state_.next_ino = loaded.record.next_ino();
  state_.stats = loaded.stats;
  state_.orphans = std::move(loaded.orphans);
  state_.reclaims = std::move(loaded.reclaims);
  state_.ended_sessions = std::move(loaded.ended_sessions);
  for (auto& [session_id, session] : loaded.sessions) {
    session.window.Acknowledge(loaded.floors[session_id]);
    state_.sessions.Add(std::move(session));
  }
  if (state_.sessions.size() > 0) {
    LogInfo("volume '{}': waiting for {} sessions to say which files they have open", name_, state_.sessions.size());
  }
  co_return Result<void>();
}

}  // namespace gabion
