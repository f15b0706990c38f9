#pragma once

#include <string>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/env/clock.h"
#include "metaserver/session/id_ranges.h"
#include "metaserver/session/replay_window.h"

namespace gabion {

/// A client's registration with one volume, as the volume's strand sees it. The persistent part is records::Session;
/// open handles and the window's answers live in memory and come back with the client.
struct Session {
  SessionId id;
  std::string host;
  std::string software;
  std::string mountpoint;
  bool read_only = false;
  Ino root_ino;
  std::int64_t opened_ns = 0;
  IdRanges inos;
  IdRanges chunk_ids;

  ReplayWindow window;
  TimePoint last_heard;
  /// By the client's own word (opened, resumed, renewed); its leases are good for the session's time to live after it.
  TimePoint renewed;
  /// False after a restart of this server until the client has named the handles that it has open.
  bool resumed = true;
  /// Open files; each is counted in OpenFiles as well.
  std::unordered_map<HandleId, Ino> handles;
  std::unordered_map<Ino, std::uint32_t> open_counts;

  bool HasOpen(Ino ino) const { return open_counts.contains(ino); }
  records::Session ToRecord() const;
  static Session FromRecord(SessionId id, const records::Session& record, TimePoint now);
};

}  // namespace gabion
