// Random work on chunks, cut off at random moments by kills and power losses. A model says what each block may hold
// then: what was durable, or what was written since; nothing else, and nothing half.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "common/coro/task_group.h"
#include "tests/unit/chunkserver/store/sim_store.h"

namespace gabion {
namespace {

constexpr std::uint32_t kBlock = kBlockBytes;
constexpr std::size_t kBlocks = 40;  // of each chunk, as far as this test goes: two and a half pages
constexpr std::uint32_t kExtent = kBlocks * kBlock;
constexpr PgId kPg{7};  // of all chunks

using Bytes = std::shared_ptr<const std::string>;  // of a block

/// What the index says of a chunk beside its blocks; changes as one.
struct State {
  std::optional<std::uint32_t> length;  // nothing: no such chunk
  bool unsettled = false;

  friend bool operator==(const State&, const State&) = default;
};

/// What is known of one chunk.
struct ChunkModel {
  ChunkId id;
  std::vector<Bytes> now;                    // a block each
  std::vector<std::vector<Bytes>> possible;  // after a power loss; the first one is durable
  State state;
  std::vector<State> possible_states;
  bool removing = false;  // or removed: its id is not used again
};

/// An operation's effect on a chunk, before anybody knows whether it has taken place.
struct Effect {
  std::vector<Bytes> blocks;
  State state;
};

/// A worker with a few chunks of its own, on which it does one thing after another.
class Worker {
 public:
  Worker(unsigned index, SimRandom& random) : random_(random), next_id_(1 + index * 1'000'000) {
    for (unsigned i = 0; i < 3; ++i) chunks_.push_back(NewChunk());
  }

  /// All that may be there.
  std::vector<ChunkId> ids() const {
    std::vector<ChunkId> ids;
    for (const ChunkModel& chunk : chunks_) ids.push_back(chunk.id);
    for (const ChunkModel& chunk : removed_) ids.push_back(chunk.id);
    return ids;
  }
  std::uint64_t done() const { return done_; }

  /// Until an operation fails: the process was killed.
  Task<void> Work(ExtentStore& store) {
    for (;;) {
      Result<void> result = co_await Step(store);
      if (!result) {
        EXPECT_TRUE(result.error().code() == ErrorCode::kIo || result.error().code() == ErrorCode::kUnavailable)
            << result.error().ToString();
        co_return;
      }
      ++done_;
    }
  }

  /// After a restart: what is there must be possible, and is what is there from now on.
  Task<void> Verify(ExtentStore& store, bool power_loss) {
    for (ChunkModel& chunk : chunks_) co_await VerifyChunk(store, chunk, power_loss);
    for (ChunkModel& chunk : removed_) co_await VerifyChunk(store, chunk, power_loss);
    in_flight_chunk_ = nullptr;
    ReplaceRemoved();
  }

 private:
  ChunkModel NewChunk() {
    ChunkModel chunk;
    chunk.id = ChunkId(next_id_++);
    chunk.now.assign(kBlocks, zeros_);
    chunk.possible.assign(kBlocks, {zeros_});
    chunk.possible_states.push_back({});
    return chunk;
  }

  // Chunks that are removed make place for others. They may come back until that is durable.
  void ReplaceRemoved() {
    for (ChunkModel& chunk : chunks_) {
      if (chunk.removing && !chunk.state.length) removed_.push_back(std::exchange(chunk, NewChunk()));
    }
    std::erase_if(removed_,
                  [](const ChunkModel& chunk) { return chunk.possible_states == std::vector<State>{State()}; });
  }

  Task<void> VerifyChunk(ExtentStore& store, ChunkModel& chunk, bool power_loss) {
    Result<std::optional<ChunkStat>> stat = co_await store.Stat(chunk.id);
    CHECK(stat.has_value());
    State state;
    if (stat->has_value()) state.length = (*stat)->record.length_bytes;
    state.unsettled = store.IsUnsettled(kPg, chunk.id);
    bool known =
        std::find(chunk.possible_states.begin(), chunk.possible_states.end(), state) != chunk.possible_states.end();
    EXPECT_TRUE(known) << "chunk " << chunk.id.value() << " has length " << state.length.value_or(0)
                       << (state.unsettled ? " and is unsettled" : "");
    Result<ChunkRead> read = co_await store.Read(chunk.id, 0, kExtent);
    CHECK(read.has_value());
    std::string bytes = BytesOf(*read, kExtent);
    bool is_old = state == chunk.state;
    bool is_new = in_flight_chunk_ == &chunk && state == in_flight_.state;
    for (std::size_t i = 0; i < kBlocks; ++i) {
      std::string_view block = std::string_view(bytes).substr(i * kBlock, kBlock);
      VerifyBlock(chunk, i, block);
      is_old = is_old && *chunk.now[i] == block;
      is_new = is_new && *in_flight_.blocks[i] == block;
      chunk.now[i] = std::make_shared<std::string>(block);
      if (power_loss) chunk.possible[i].clear();
      chunk.possible[i].push_back(chunk.now[i]);
    }
    EXPECT_TRUE(power_loss || is_old || is_new) << "chunk " << chunk.id.value() << " after a kill";
    chunk.state = state;
    if (power_loss) chunk.possible_states.clear();
    chunk.possible_states.push_back(state);
  }

  void VerifyBlock(const ChunkModel& chunk, std::size_t index, std::string_view block) {
    bool known = std::any_of(chunk.possible[index].begin(), chunk.possible[index].end(),
                             [&](const Bytes& bytes) { return *bytes == block; });
    EXPECT_TRUE(known) << "chunk " << chunk.id.value() << " block " << index << " holds what was never there, or was"
                       << " overwritten durably; " << chunk.possible[index].size() << " versions are possible";
  }

  Task<Result<void>> Step(ExtentStore& store) {
    ChunkModel& chunk = chunks_[random_.Below(chunks_.size())];
    std::uint64_t kind = random_.Below(100);
    if (kind < 50) return Write(store, chunk);
    if (kind < 60) return Zero(store, chunk);
    if (kind < 68) return Trim(store, chunk);
    if (kind < 78) return Copy(store, chunk);
    if (kind < 82) return Remove(store, chunk);
    if (kind < 86) return Adopt(store, chunk);
    if (kind < 91) return ClearUnsettled(store, chunk);
    if (kind < 93) return WriteToRemoved(store);
    return Sync(store);
  }

  struct Range {
    std::uint32_t offset_bytes;
    std::uint32_t length_bytes;
  };
  Range DrawRange() {
    std::uint64_t unit = random_.Chance(2, 3) ? kBlock : 1;
    std::uint64_t units = kExtent / unit;
    std::uint64_t first = random_.Below(units);
    std::uint64_t longest = random_.Chance(1, 2) ? 3 * kBlock / unit : units;
    std::uint64_t count = 1 + random_.Below(std::min(units - first, longest));
    return {static_cast<std::uint32_t>(first * unit), static_cast<std::uint32_t>(count * unit)};
  }

  Task<Result<void>> Write(ExtentStore& store, ChunkModel& chunk) {
    Range range = DrawRange();
    std::string bytes = Pattern(random_.Next(), range.length_bytes);
    if (random_.Chance(1, 10)) bytes.assign(range.length_bytes, '\0');
    bool sync = random_.Chance(1, 3);
    Effect effect = Overwrite(chunk, range, bytes);
    bool resync = random_.Chance(1, 4);
    effect.state.length = std::max(chunk.state.length.value_or(0), range.offset_bytes + range.length_bytes);
    effect.state.unsettled = chunk.state.unsettled || !resync;
    Begin(chunk, effect);
    ChunkWrite write = MakeWrite(chunk.id, range.offset_bytes, bytes, sync);
    write.epoch = DrawEpoch();
    write.resync = resync;
    Result<void> written = co_await store.Write(std::move(write));
    if (written) End(chunk);
    if (written && sync) MakeDurable(chunk, range.offset_bytes, range.offset_bytes + range.length_bytes);
    co_return written;
  }

  Task<Result<void>> Zero(ExtentStore& store, ChunkModel& chunk) {
    Range range = DrawRange();
    Effect effect = Overwrite(chunk, range, std::string(range.length_bytes, '\0'));
    effect.state = chunk.state;
    // Nothing is done beyond the chunk's end.
    if (range.offset_bytes < RoundUp(chunk.state.length.value_or(0), kBlock)) effect.state.unsettled = true;
    Begin(chunk, effect);
    ChunkZero zero;
    zero.chunk = chunk.id;
    zero.pg = kPg;
    zero.epoch = DrawEpoch();
    zero.offset_bytes = range.offset_bytes;
    zero.length_bytes = range.length_bytes;
    Result<void> zeroed = co_await store.Zero(zero);
    if (zeroed) End(chunk);
    co_return zeroed;
  }

  Task<Result<void>> Trim(ExtentStore& store, ChunkModel& chunk) {
    std::uint32_t length = DrawRange().offset_bytes;
    Range rest{length, kExtent - length};
    Effect effect = Overwrite(chunk, rest, std::string(rest.length_bytes, '\0'));
    effect.state = {std::min(chunk.state.length.value_or(0), length), true};
    Begin(chunk, effect);
    ChunkTrim trim;
    trim.chunk = chunk.id;
    trim.pg = kPg;
    trim.epoch = DrawEpoch();
    trim.length_bytes = length;
    trim.generation = ++trim_generation_;
    Result<void> trimmed = co_await store.Trim(trim);
    if (trimmed) {
      End(chunk);
      MakeDurable(chunk, length, kExtent);
    }
    co_return trimmed;
  }

  Task<Result<void>> Copy(ExtentStore& store, ChunkModel& target) {
    ChunkModel& source = chunks_[random_.Below(chunks_.size())];
    Range range = DrawRange();
    std::uint32_t from = DrawRange().offset_bytes;
    if (random_.Chance(3, 4)) from = from / kBlock * kBlock + range.offset_bytes % kBlock;
    if (from >= kExtent) from = 0;
    range.length_bytes = std::min(range.length_bytes, kExtent - from);
    std::uint32_t distance = std::max(from, range.offset_bytes) - std::min(from, range.offset_bytes);
    if (&source == &target && distance < range.length_bytes) co_return Result<void>();
    std::string bytes;
    for (const Bytes& block : source.now) bytes += *block;
    Effect effect = Overwrite(target, range, bytes.substr(from, range.length_bytes));
    effect.state = {std::max(target.state.length.value_or(0), range.offset_bytes + range.length_bytes), true};
    Begin(target, effect);
    ChunkCopy copy;
    copy.source = source.id;
    copy.target = target.id;
    copy.pg = kPg;
    copy.epoch = DrawEpoch();
    copy.source_offset_bytes = from;
    copy.offset_bytes = range.offset_bytes;
    copy.length_bytes = range.length_bytes;
    Result<void> copied = co_await store.Copy(copy);
    if (copied) End(target);
    co_return copied;
  }

  Task<Result<void>> Remove(ExtentStore& store, ChunkModel& chunk) {
    Effect effect;
    effect.blocks.assign(kBlocks, zeros_);
    Begin(chunk, effect);
    AdoptChunk adopt;
    adopt.chunk = chunk.id;
    adopt.may_return = random_.Chance(1, 3);
    chunk.removing = chunk.removing || !adopt.may_return;
    Result<void> removed;
    if (adopt.may_return) {
      removed = co_await store.Adopt(adopt);
    } else {
      removed = co_await store.Remove(chunk.id);
    }
    if (!removed) co_return removed;
    End(chunk);
    ReplaceRemoved();
    co_return removed;
  }

  Task<Result<void>> Adopt(ExtentStore& store, ChunkModel& chunk) {
    Range rest = DrawRange();
    rest.length_bytes = kExtent - rest.offset_bytes;
    AdoptChunk adopt;
    adopt.chunk = chunk.id;
    adopt.pg = kPg;
    adopt.epoch = DrawEpoch();
    adopt.exists = true;
    adopt.length_bytes = rest.offset_bytes;
    adopt.unsettled = random_.Chance(1, 2);
    Effect effect = Overwrite(chunk, rest, std::string(rest.length_bytes, '\0'));
    effect.state = {adopt.length_bytes, chunk.state.unsettled || adopt.unsettled};
    Begin(chunk, effect);
    Result<void> adopted = co_await store.Adopt(adopt);
    if (adopted) End(chunk);
    co_return adopted;
  }

  Task<Result<void>> ClearUnsettled(ExtentStore& store, ChunkModel& chunk) {
    Effect effect{chunk.now, {chunk.state.length, false}};
    Begin(chunk, effect);
    std::vector<ChunkId> cleared{chunk.id};
    Result<void> done = co_await store.ClearUnsettled(kPg, cleared);
    if (done) End(chunk);
    co_return done;
  }

  // What is not there and not durably gone has a tombstone.
  Task<Result<void>> WriteToRemoved(ExtentStore& store) {
    if (removed_.empty() || store.core().options().tombstone_keep < std::chrono::hours(1)) co_return Result<void>();
    const ChunkModel& chunk = removed_[random_.Below(removed_.size())];
    if (chunk.state.length) co_return Result<void>();
    ChunkWrite write = MakeWrite(chunk.id, 0, Pattern(random_.Next(), kBlock));
    Result<void> written = co_await store.Write(std::move(write));
    EXPECT_FALSE(written.has_value()) << "chunk " << chunk.id.value() << " is back";
    if (!written && written.error().code() != ErrorCode::kStale) co_return written;
    co_return Result<void>();
  }

  Task<Result<void>> Sync(ExtentStore& store) {
    Result<void> synced = co_await store.Sync();
    if (synced) {
      for (ChunkModel& chunk : chunks_) MakeDurable(chunk, 0, kExtent);
      for (ChunkModel& chunk : removed_) MakeDurable(chunk, 0, kExtent);
      ReplaceRemoved();
    }
    co_return synced;
  }

  Effect Overwrite(const ChunkModel& chunk, Range range, const std::string& bytes) {
    Effect effect;
    effect.blocks = chunk.now;
    for (std::uint32_t at = 0; at < range.length_bytes;) {
      std::uint32_t in_block = (range.offset_bytes + at) % kBlock;
      std::uint32_t length = std::min(range.length_bytes - at, kBlock - in_block);
      Bytes& block = effect.blocks[(range.offset_bytes + at) / kBlock];
      std::string changed = *block;
      changed.replace(in_block, length, bytes, at, length);
      block = std::make_shared<std::string>(std::move(changed));
      at += length;
    }
    return effect;
  }
  void Begin(ChunkModel& chunk, Effect effect) {
    for (std::size_t i = 0; i < kBlocks; ++i) {
      if (effect.blocks[i] != chunk.now[i]) chunk.possible[i].push_back(effect.blocks[i]);
    }
    chunk.possible_states.push_back(effect.state);
    in_flight_ = std::move(effect);
    in_flight_chunk_ = &chunk;
  }
  void End(ChunkModel& chunk) {
    chunk.now = std::move(in_flight_.blocks);
    chunk.state = in_flight_.state;
    in_flight_chunk_ = nullptr;
  }
  // Blocks that [begin, end) touches; the chunk's record with them.
  static void MakeDurable(ChunkModel& chunk, std::uint32_t begin_bytes, std::uint32_t end_bytes) {
    for (std::size_t i = begin_bytes / kBlock; i * kBlock < end_bytes; ++i) chunk.possible[i] = {chunk.now[i]};
    chunk.possible_states = {chunk.state};
  }

  Epoch DrawEpoch() { return Epoch(static_cast<std::uint32_t>(1 + random_.Below(5))); }

  SimRandom& random_;
  const Bytes zeros_ = std::make_shared<std::string>(kBlock, '\0');
  std::uint64_t next_id_;
  std::vector<ChunkModel> chunks_;
  std::vector<ChunkModel> removed_;
  ChunkModel* in_flight_chunk_ = nullptr;
  Effect in_flight_;
  std::uint64_t trim_generation_ = 0;
  std::uint64_t done_ = 0;
};

StoreOptions DrawOptions(SimRandom& random) {
  StoreOptions options = SmallStoreOptions();
  options.slab_bytes = (16 + random.Below(100) * 7) * kBlockBytes;
  options.pending_pages_max = 8 + random.Below(100);
  options.inline_blocks_max = random.Below(100);
  options.inline_write_bytes_max = static_cast<std::uint32_t>(random.Below(4) * 8 * kKiB);
  options.sync_interval = std::chrono::milliseconds(5 + random.Below(200));
  options.upkeep_interval = std::chrono::milliseconds(2 + random.Below(50));
  if (random.Chance(1, 2)) options.tombstone_keep = std::chrono::milliseconds(random.Below(100));
  return options;
}

class CrashTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(CrashTest, LeavesEveryBlockOldOrNew) {
  SimRandom random(GetParam());
  SimStore s(GetParam(), DrawOptions(random));
  s.index().options().cold = random.Chance(1, 2);
  s.index().options().warm_keys_max = 200;
  s.platter().options().writeback_bytes = (1 + random.Below(8)) * 256 * kKiB;
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned i = 0; i < 3; ++i) workers.push_back(std::make_unique<Worker>(i, s.world().random()));
  for (int round = 0; round < 12 && !testing::Test::HasFailure(); ++round) {
    TaskGroup tasks;
    for (auto& worker : workers) tasks.Spawn(s.machine().env().executor, worker->Work(s.store()));
    s.world().RunFor(std::chrono::microseconds(random.Below(80'000)));
    bool power_loss = random.Chance(2, 3);
    if (power_loss) {
      s.machine().LosePower();
    } else {
      s.machine().KillProcess();
    }
    s.world().RunUntilDone(tasks.Join());
    s.CheckIndex();
    s.Restart();
    s.CheckIndex();
    for (auto& worker : workers) s.world().RunUntilDone(worker->Verify(s.store(), power_loss));
  }
  std::uint64_t done = 0;
  for (auto& worker : workers) done += worker->done();
  EXPECT_GT(done, 100u) << "the test did next to nothing";
  for (auto& worker : workers) {
    for (ChunkId id : worker->ids()) ASSERT_TRUE(s.Remove(id).has_value());
  }
  s.Settle();
  EXPECT_EQ(s.used_blocks(), 0u) << "leaked";
  // A slab's end within a segment leaves two runs there that may be too short to be worth it.
  EXPECT_LE(s.platter().used_bytes(), s.platter().FileNames().size() * 2 * 15 * kBlockBytes) << "holes not punched";
  s.CheckIndex();
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashTest, testing::Range<std::uint64_t>(1, 17));

}  // namespace
}  // namespace gabion
