// What servers say of scrub, and passes that administrators want.
#include <fmt/format.h>

#include <utility>

#include "metaserver/cluster/cluster.h"
#include "metaserver/store/record_codec.h"

namespace gabion {

Task<Result<std::vector<proto::ServerEntry>>> Cluster::StartScrub(ServerId id, Env& env) {
  std::vector<proto::ServerEntry> entries;
  {
    const std::lock_guard lock(mutex_);
    std::vector<Server*> wanted;
    if (id) {
      CO_TRY_ASSIGN(Server * server, FindServer(id));
      wanted.push_back(server);
    } else {
      for (auto& [known, server] : servers_) wanted.push_back(&server);
    }
    WriteBatch batch;
    for (Server* server : wanted) {
      WantScrub(*server, env, batch);
      entries.push_back(FullEntryOf(*server));
      AddScrubTo(*server, entries.back());
    }
    CO_TRY_ASSIGN([[maybe_unused]] CommitSeq seq, Write(std::move(batch)));
  }
  Result<void> durable = co_await MakeDurable();
  CO_TRY(durable);
  co_return entries;
}

void Cluster::AddScrub(google::protobuf::RepeatedPtrField<proto::ServerEntry>& entries) const {
  const std::lock_guard lock(mutex_);
  for (proto::ServerEntry& entry : entries) {
    auto found = servers_.find(ServerId(entry.server_id()));
    if (found != servers_.end()) AddScrubTo(found->second, entry);
  }
}

void Cluster::WantScrub(Server& server, Env& env, WriteBatch& batch) {
  // Two wishes at a time are one: whoever asks again meanwhile follows the pass that is under way.
  if (server.record.scrub_asked() > server.record.scrub_done()) return;
  server.record.set_scrub_asked(server.record.scrub_done() + 1);
  server.repaired_for_wish = 0;
  batch.Put(ServerKey(server.id), EncodeRecord(server.record));
  Note(EventAbout(server.id, "scrub-started",
                  fmt::format("chunkserver {} is asked to scrub all groups that it leads", server.id.value())),
       env, batch);
}

void Cluster::AddScrubTo(const Server& server, proto::ServerEntry& entry) {
  proto::ScrubReport& scrub = *entry.mutable_scrub();
  scrub = server.scrub.value_or(proto::ScrubReport());
  scrub.set_finished_round(server.record.scrub_done());
  if (!server.alive) scrub.set_running(false);
  if (server.record.scrub_asked() > server.record.scrub_done() && !scrub.running()) {
    scrub.set_running(true);  // it waits for the server to begin
    scrub.clear_pass_bytes();
    scrub.clear_pass_bytes_done();
  }
  entry.set_last_scrub_ns(server.record.last_scrub_ns());
}

std::uint64_t Cluster::OpenScrubRound(const Server& server) {
  return server.record.scrub_asked() > server.record.scrub_done() ? server.record.scrub_asked() : 0;
}

void Cluster::TakeScrubReport(Server& server, const proto::ScrubReport& report, Env& env, WriteBatch& batch) {
  const bool is_first = !server.scrub.has_value();  // since this program's start: what is in it may be old
  const proto::ScrubReport before = server.scrub.value_or(proto::ScrubReport());
  server.scrub = report;
  if (report.repaired_bytes() > before.repaired_bytes()) {
    const std::uint64_t repaired_bytes = report.repaired_bytes() - before.repaired_bytes();
    if (!is_first) server.repaired_for_wish += repaired_bytes;
    Note(EventAbout(server.id, "scrub-repaired",
                    fmt::format("scrub on chunkserver {} replaced {} bytes of copies that had gone bad",
                                server.id.value(), repaired_bytes),
                    true),
         env, batch);
  }
  if (report.failed_chunks() > before.failed_chunks()) {
    Note(EventAbout(
             server.id, "scrub-failed",
             fmt::format("scrub on chunkserver {} could not read or repair a copy of {} chunks: its log names them",
                         server.id.value(), report.failed_chunks() - before.failed_chunks()),
             true),
         env, batch);
  }
  // A number that was never given comes from a store that has been restored since.
  const bool is_finished =
      report.finished_round() > server.record.scrub_done() && report.finished_round() <= server.record.scrub_asked();
  if (is_finished) {
    server.record.set_scrub_done(report.finished_round());
    Note(EventAbout(server.id, "scrub-finished",
                    fmt::format("chunkserver {} has scrubbed all groups that it leads: {} bytes repaired, {} chunks "
                                "with faults that are still there",
                                server.id.value(), server.repaired_for_wish, report.failed_chunks()),
                    report.failed_chunks() > 0),
         env, batch);
  }
  if (is_finished || (!is_first && report.passes() > before.passes())) {
    server.record.set_last_scrub_ns(env.clock.WallNowNs());
    batch.Put(ServerKey(server.id), EncodeRecord(server.record));
  }
}

}  // namespace gabion
