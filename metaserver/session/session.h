#pragma once

#include <optional>
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
  /// By the client's own word (opened, resumed, renewed); what it holds is good for the session's time to live after
  /// it.
  TimePoint renewed;
  /// The same of its read leases: not renewed while it does not return what was recalled.
  TimePoint reads_renewed;
  /// False after a restart of this server until the client has named the handles that it has open.
  bool resumed = true;
  /// Others may have got what it held, locks and write leases. Until the client has resumed the session, it gets none.
  bool evicted = false;
  /// How often that was about to be done. What the client sends to chunkservers under a smaller number is refused
  /// there.
  std::uint32_t evictions = 0;
  /// That is written down (records::Session.evicted), as long as the client may not have heard of it: by when it
  /// resumed the session then, and that it has renewed it since.
  bool loss_recorded = false;
  std::uint64_t resumed_at = 0;  // or opened: OpenSessionReply.note.number
  bool loss_heard = false;
  /// Until it is durably written down that its client has heard of it, the session gets nothing that a restart of this
  /// server would take for lost.
  bool barred = false;
  /// The client has to resume the session, for what is told to it may have been lost.
  bool must_resume = false;
  /// The administrator has decided that it is evicted, and that is not done yet: what it holds is not good for longer,
  /// and the client cannot resume it.
  bool evict_requested = false;
  /// What its client has written and not committed, as it said last.
  std::optional<std::uint64_t> dirty_bytes;
  /// Open files; each is counted in OpenFiles as well.
  std::unordered_map<HandleId, Ino> handles;
  std::unordered_map<Ino, std::uint32_t> open_counts;

  bool HasOpen(Ino ino) const { return open_counts.contains(ino); }
  /// Whether this process may know less of its locks and write leases than its client.
  bool MayReclaim() const { return !resumed && !evicted; }
  /// Whether it may be given what is lost by eviction.
  bool MayHold() const { return resumed && !must_resume && !evicted && !barred; }
  void NoteRenewal(TimePoint now) { last_heard = renewed = reads_renewed = now; }
  records::Session ToRecord() const;
  static Session FromRecord(SessionId id, const records::Session& record, TimePoint now);
};

}  // namespace gabion
