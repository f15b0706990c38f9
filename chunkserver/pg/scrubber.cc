#include "chunkserver/pg/scrubber.h"

#include <algorithm>

#include "chunkserver/pg/scrub.h"
#include "common/base/log.h"

namespace gabion {
namespace {

// Beside clients: for each second of work so many of rest.
constexpr int kRestFactor = 3;
constexpr std::size_t kChunksPerList = 256;

}  // namespace

void Scrubber::Start() {
  if (pass_interval_ > Duration(0)) tasks_.Spawn(env_.executor, Passes());
}

Task<void> Scrubber::Stop() {
  stopping_ = true;
  sleep_.Cancel();
  co_await tasks_.Join();
}

Task<void> Scrubber::Passes() {
  while (!stopping_) {
    // A server that has just started has better things to do, and its groups no epoch yet.
    const TimePoint next = env_.clock.Now() + pass_interval_;
    co_await sleep_.Until(env_, next);
    if (!stopping_) co_await Pass();
  }
}

Task<void> Scrubber::Pass() {
  const std::uint64_t repaired = report_.repaired_bytes();
  const std::uint64_t failed = report_.failed_chunks();
  MembershipViewPtr view = context_.membership.view();
  const ServerId self = context_.membership.self();
  for (const auto& [pg, group] : view->groups()) {
    if (stopping_) co_return;
    if (group.primary == self) co_await ScrubGroup(pg, group.epoch);
  }
  report_.set_passes(report_.passes() + 1);
  if (report_.repaired_bytes() == repaired && report_.failed_chunks() == failed) co_return;
  LogWarning("scrub: {} bytes were repaired; {} chunks have a copy that could not be read or repaired",
             report_.repaired_bytes() - repaired, report_.failed_chunks() - failed);
}

Task<void> Scrubber::ScrubGroup(PgId pg, Epoch epoch) {
  ListQuery query;
  query.pg = pg;
  query.by_epoch = true;  // after none: all
  query.max_entries = kChunksPerList;
  for (bool end = false; !end;) {
    Result<ChunkPage> page = co_await context_.stores.List(query);
    if (!page) co_return;  // a disk is away: told elsewhere
    for (const ChunkSummary& chunk : page->chunks) {
      query.after = chunk.chunk;
      if (!chunk.exists) continue;
      const bool goes_on = co_await ScrubOne(pg, epoch, chunk.chunk, chunk.length_bytes);
      if (!goes_on) co_return;
    }
    end = page->end;
  }
}

/// False: the group is to be left for the next pass.
Task<bool> Scrubber::ScrubOne(PgId pg, Epoch epoch, ChunkId chunk, std::uint64_t length_bytes) {
  const TimePoint began = env_.clock.Now();
  Result<Membership::Serving> serving = context_.membership.CheckGroup(pg, epoch, began);
  if (stopping_ || !serving || !context_.pgs.Serves(pg, epoch)) co_return false;
  if (context_.stores.IsUnsettled(pg, chunk)) co_return true;
  const std::uint64_t clients = context_.admission.client_calls();
  const ScrubOutcome outcome = co_await ScrubChunk(context_, env_, std::move(*serving), chunk);
  report_.set_repaired_bytes(report_.repaired_bytes() + outcome.repaired_bytes);
  if (outcome.failure) {
    const ErrorCode code = outcome.failure->code();
    if (code != ErrorCode::kCorrupt && code != ErrorCode::kIo) co_return false;  // a member or the epoch went away
    report_.set_failed_chunks(report_.failed_chunks() + 1);
    LogError("scrub: chunk {}: {}", chunk.value(), outcome.failure->message());
  }
  const Duration worked = env_.clock.Now() - began;
  // What the chunk's share of the pass is, less the time that it took.
  const double share =
      static_cast<double>(length_bytes) / static_cast<double>(std::max(StoredBytes(), length_bytes + 1));
  Duration rest = std::chrono::duration_cast<Duration>(pass_interval_ * share) - worked;
  if (context_.admission.client_calls() != clients) rest = std::max<Duration>(rest, worked * kRestFactor);
  if (rest > Duration(0) && !stopping_) co_await sleep_.Until(env_, env_.clock.Now() + rest);
  co_return true;
}

std::uint64_t Scrubber::StoredBytes() const {
  std::uint64_t bytes = 0;
  for (const proto::DiskReport& disk : context_.stores.Reports()) bytes += disk.used_bytes();
  return bytes;
}

}  // namespace gabion
