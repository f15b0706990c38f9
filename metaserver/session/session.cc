#include "metaserver/session/session.h"

namespace gabion {

records::Session Session::ToRecord() const {
  records::Session record;
  record.set_host(host);
  record.set_software(software);
  record.set_mountpoint(mountpoint);
  record.set_read_only(read_only);
  record.set_root_ino(root_ino.value());
  record.set_opened_ns(opened_ns);
  record.set_evicted(loss_recorded);
  record.set_evictions(evictions);
  record.set_evict_requested(evict_requested && !evicted);
  inos.Store(record.mutable_inos());
  chunk_ids.Store(record.mutable_chunk_ids());
  return record;
}

Session Session::FromRecord(SessionId id, const records::Session& record, TimePoint now) {
  Session session;
  session.id = id;
  session.host = record.host();
  session.software = record.software();
  session.mountpoint = record.mountpoint();
  session.read_only = record.read_only();
  session.root_ino = Ino(record.root_ino());
  session.opened_ns = record.opened_ns();
  session.evicted = session.loss_recorded = session.barred = record.evicted();
  session.evictions = record.evictions();
  session.evict_requested = session.must_resume = record.evict_requested();
  session.inos = IdRanges(record.inos());
  session.chunk_ids = IdRanges(record.chunk_ids());
  session.NoteRenewal(now);
  session.resumed = false;
  return session;
}

}  // namespace gabion
