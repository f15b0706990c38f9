#include "chunkserver/pg/scrubber.h"

#include <algorithm>
#include <utility>

#include "chunkserver/pg/background_pace.h"
#include "chunkserver/pg/scrub.h"
#include "common/base/log.h"

namespace gabion {
namespace {

constexpr std::size_t kChunksPerList = 256;
// What could not be scrubbed is tried again: chunks settle within some 10 s, groups within a few.
constexpr Duration kRetryPause = std::chrono::seconds(5);
constexpr unsigned kMaxTriesOfSuspect = 24;
constexpr int kMaxRoundsOfPass = 6;
constexpr std::size_t kMaxUnsettledInPass = 65'536;
constexpr std::size_t kMaxFailedKnown = 65'536;
// With nothing to do: it is woken.
constexpr Duration kIdle = std::chrono::hours(1);

}  // namespace

void Scrubber::Start() {
  tasks_.Spawn(env_.executor, Run());
}

Task<void> Scrubber::Stop() {
  stopping_ = true;
  sleep_.Cancel();
  co_await tasks_.Join();
}

void Scrubber::Want(std::uint64_t round) {
  if (round == wanted_) return;
  wanted_ = round;
  if (IsWanted()) sleep_.Cancel();
}

void Scrubber::Wake() {
  tasks_.Spawn(env_.executor, CutSleepShort());
}

Task<void> Scrubber::CutSleepShort() {
  sleep_.Cancel();
  co_return;
}

Task<void> Scrubber::Run() {
  // A server that has just started has better things to do, and its groups no epoch yet.
  TimePoint next_pass = env_.clock.Now() + pass_interval_;
  while (!stopping_) {
    const TimePoint now = env_.clock.Now();
    const bool is_due = pass_interval_ > Duration(0) && now >= next_pass;
    if (IsWanted() || is_due) {
      co_await RunPass(IsWanted() ? wanted_ : 0);
      next_pass = env_.clock.Now() + pass_interval_;
      continue;
    }
    const TimePoint until = pass_interval_ > Duration(0) ? next_pass : now + kIdle;
    co_await Rest(until, nullptr);
  }
}

Task<void> Scrubber::Rest(TimePoint until, const Pass* pass) {
  for (;;) {
    co_await ScrubSuspects();
    if (pass == nullptr ? stopping_ || IsWanted() : IsOver(*pass)) co_return;
    if (env_.clock.Now() >= until) co_return;
    const std::optional<TimePoint> suspect_due = context_.suspects.NextDue();
    const TimePoint wake = suspect_due ? std::min(*suspect_due, until) : until;
    co_await sleep_.Until(env_, wake);
  }
}

Task<void> Scrubber::ScrubSuspects() {
  while (!stopping_) {
    std::optional<ScrubQueue::Suspect> suspect = context_.suspects.Take(env_.clock.Now());
    if (!suspect) co_return;
    const Looked looked = co_await Look(suspect->pg, suspect->chunk);
    if (looked == Looked::kDone || ++suspect->tries >= kMaxTriesOfSuspect) continue;
    context_.suspects.PutBack(*suspect, env_.clock.Now() + kRetryPause);
  }
}

Task<void> Scrubber::RunPass(std::uint64_t round) {
  if (round != 0) LogInfo("scrub: a pass begins, as an administrator wants");
  const std::uint64_t repaired = report_.repaired_bytes();
  Pass pass;
  pass.round = round;
  pass.unseen = failed_;
  report_.set_running(true);
  report_.set_pass_bytes_done(0);
  for (int turn = 0; turn < kMaxRoundsOfPass && !IsOver(pass); ++turn) {
    if (turn > 0) {
      const TimePoint again = env_.clock.Now() + kRetryPause;
      co_await Rest(again, &pass);
    }
    Measure(pass);
    NoteProgress(pass, 0);
    const std::vector<PgId> groups = GroupsLeft(pass);
    for (PgId pg : groups) co_await ScrubGroup(pass, pg);
    if (turn > 0) co_await ScrubUnsettled(pass);
    if (pass.unsettled.empty() && GroupsLeft(pass).empty()) break;
  }
  report_.set_running(false);
  if (IsOver(pass)) co_return;
  FinishPass(pass);
  if (report_.repaired_bytes() == repaired && report_.failed_chunks() == 0) co_return;
  LogWarning("scrub: {} bytes were repaired; {} chunks have a copy that could not be read or repaired",
             report_.repaired_bytes() - repaired, report_.failed_chunks());
}

/// Those that this server leads by now.
std::vector<PgId> Scrubber::GroupsLeft(const Pass& pass) const {
  MembershipViewPtr view = context_.membership.view();
  const ServerId self = context_.membership.self();
  std::vector<PgId> groups;
  for (const auto& [pg, group] : view->groups()) {
    if (group.primary == self && !pass.done.contains(pg)) groups.push_back(pg);
  }
  std::sort(groups.begin(), groups.end());
  return groups;
}

/// An estimate of what is left: to list all chunks beforehand would be another pass over the index.
void Scrubber::Measure(Pass& pass) const {
  MembershipViewPtr view = context_.membership.view();
  const ServerId self = context_.membership.self();
  const auto here = std::count_if(view->groups().begin(), view->groups().end(),
                                  [self](const auto& entry) { return entry.second.HasMember(self); });
  pass.group_bytes = here == 0 ? 0 : StoredBytes() / static_cast<std::uint64_t>(here);
  pass.groups_left = GroupsLeft(pass).size();
}

void Scrubber::NoteProgress(Pass& pass, std::uint64_t bytes) {
  pass.bytes_done_in_group += bytes;
  const std::uint64_t done = report_.pass_bytes_done() + bytes;
  const std::uint64_t left_in_group = pass.group_bytes - std::min(pass.group_bytes, pass.bytes_done_in_group);
  const std::uint64_t left = pass.groups_left == 0 ? 0 : left_in_group + (pass.groups_left - 1) * pass.group_bytes;
  report_.set_pass_bytes_done(done);
  report_.set_pass_bytes(done + left);
}

void Scrubber::FinishPass(const Pass& pass) {
  const std::size_t left_out = GroupsLeft(pass).size();
  if (left_out == 0) std::erase_if(failed_, [&](ChunkId chunk) { return pass.unseen.contains(chunk); });
  report_.set_failed_chunks(failed_.size());
  report_.set_pass_bytes(report_.pass_bytes_done());
  report_.set_passes(report_.passes() + 1);
  if (pass.round != 0) report_.set_finished_round(pass.round);
  if (left_out == 0 && pass.unsettled.empty()) return;
  LogWarning(
      "scrub: a pass ends without {} placement groups that could not be served, and {} chunks that were changed "
      "all the time",
      left_out, pass.unsettled.size());
}

Task<void> Scrubber::ScrubGroup(Pass& pass, PgId pg) {
  ListQuery query;
  query.pg = pg;
  query.by_epoch = true;  // after none: all
  query.max_entries = kChunksPerList;
  query.after = pass.after[pg];
  pass.bytes_done_in_group = 0;
  for (bool end = false; !end;) {
    Result<ChunkPage> page = co_await context_.stores.List(query);
    if (!page) co_return;  // a disk is away: told elsewhere
    for (const ChunkSummary& chunk : page->chunks) {
      if (IsOver(pass)) co_return;
      if (chunk.exists) {
        const Looked looked = co_await ScrubInPass(pass, pg, chunk.chunk, chunk.length_bytes);
        if (looked == Looked::kNotServed) co_return;
        if (looked == Looked::kUnsettled && pass.unsettled.size() < kMaxUnsettledInPass)
          pass.unsettled.push_back({pg, chunk.chunk, 0});
      }
      query.after = pass.after[pg] = chunk.chunk;
    }
    end = page->end;
  }
  pass.done.insert(pg);
  pass.bytes_done_in_group = 0;
  if (pass.groups_left > 0) --pass.groups_left;
}

Task<void> Scrubber::ScrubUnsettled(Pass& pass) {
  const std::vector<ScrubQueue::Suspect> chunks = std::exchange(pass.unsettled, {});
  for (const ScrubQueue::Suspect& chunk : chunks) {
    if (IsOver(pass)) co_return;
    const Looked looked = co_await ScrubInPass(pass, chunk.pg, chunk.chunk, 0);
    if (looked != Looked::kDone) pass.unsettled.push_back(chunk);
  }
}

Task<Scrubber::Looked> Scrubber::ScrubInPass(Pass& pass, PgId pg, ChunkId chunk, std::uint64_t length_bytes) {
  const BackgroundPace pace(context_.admission, env_.clock);
  pass.unseen.erase(chunk);
  const Looked looked = co_await Look(pg, chunk);
  if (looked == Looked::kNotServed) co_return looked;
  NoteProgress(pass, length_bytes);
  Duration rest = pace.Rest();
  if (pass.round == 0 && looked == Looked::kDone) {
    // What the chunk's share of the pass is, less the time that it took.
    const double share =
        static_cast<double>(length_bytes) / static_cast<double>(std::max(StoredBytes(), length_bytes + 1));
    rest = std::max<Duration>(rest, std::chrono::duration_cast<Duration>(pass_interval_ * share) - pace.worked());
  }
  const TimePoint until = env_.clock.Now() + rest;
  co_await Rest(until, &pass);
  co_return looked;
}

Task<Scrubber::Looked> Scrubber::Look(PgId pg, ChunkId chunk) {
  MembershipViewPtr view = context_.membership.view();
  const MembershipView::Group* group = view->FindGroup(pg);
  if (group == nullptr || group->primary != context_.membership.self()) co_return Looked::kNotServed;
  const Epoch epoch = group->epoch;
  Result<Membership::Serving> serving = context_.membership.CheckGroup(pg, epoch, env_.clock.Now());
  if (!serving || !context_.pgs.Serves(pg, epoch)) co_return Looked::kNotServed;
  if (context_.stores.IsUnsettled(pg, chunk)) co_return Looked::kUnsettled;
  const ScrubOutcome outcome = co_await ScrubChunk(context_, env_, std::move(*serving), chunk);
  report_.set_repaired_bytes(report_.repaired_bytes() + outcome.repaired_bytes);
  if (!outcome.failure) {
    failed_.erase(chunk);
  } else {
    const ErrorCode code = outcome.failure->code();
    const bool is_fault = code == ErrorCode::kCorrupt || code == ErrorCode::kIo || code == ErrorCode::kNoSpace;
    if (!is_fault) co_return Looked::kNotServed;  // a member or the epoch went away
    if (failed_.size() < kMaxFailedKnown) failed_.insert(chunk);
    LogError("scrub: chunk {}: {}", chunk.value(), outcome.failure->message());
  }
  report_.set_failed_chunks(failed_.size());
  co_return Looked::kDone;
}

std::uint64_t Scrubber::StoredBytes() const {
  std::uint64_t bytes = 0;
  for (const proto::DiskReport& disk : context_.stores.Reports()) bytes += disk.used_bytes();
  return bytes;
}

}  // namespace gabion
