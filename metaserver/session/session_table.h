#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "metaserver/session/session.h"

namespace gabion {

/// A volume's sessions and their open files. On the volume's strand.
class SessionTable {
 public:
  /// A bound against runaway clients; an operator has at most some thousand mounts of one volume.
  static constexpr std::size_t kMaxSessions = 16384;
  static constexpr std::size_t kMaxHandlesPerSession = 1 << 20;

  Session* Find(SessionId id);
  const Session* Find(SessionId id) const;
  void Add(Session session);
  /// Forgets the session and its handles; the files that nobody has open any more, in order.
  std::vector<Ino> Remove(SessionId id);
  std::size_t size() const { return sessions_.size(); }
  /// By id, for expiry and listings.
  const std::map<SessionId, Session>& all() const { return sessions_; }

  /// Idempotent. The handle is not open on another file.
  void OpenHandle(Session& session, HandleId handle, Ino ino);
  /// The file, if nobody has it open any more now; nothing if the handle is unknown or others remain.
  std::optional<Ino> CloseHandle(Session& session, HandleId handle);
  bool IsOpen(Ino ino) const { return open_counts_.contains(ino); }
  std::uint32_t OpenCount(Ino ino) const;

  /// Whether a session may have files open that it has not named since this server's start: then nothing that has lost
  /// its last name may be removed yet.
  bool awaiting_reclaim() const { return unresumed_ > 0; }
  /// The client has named its handles.
  void MarkResumed(Session& session);
  std::vector<SessionId> HeardBefore(TimePoint limit) const;
  /// Whether a session may have locks or write leases that it has not named since this server's start: then nobody gets
  /// any.
  bool awaiting_holders() const;
  /// All sessions lapse, and expire, so much later.
  void ExtendAll(Duration late);

 private:
  std::map<SessionId, Session> sessions_;
  std::unordered_map<Ino, std::uint32_t> open_counts_;
  std::size_t unresumed_ = 0;
};

}  // namespace gabion
