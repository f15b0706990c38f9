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

using Bytes = std::shared_ptr<const std::string>;  // of a block

/// What is known of one chunk.
struct ChunkModel {
  ChunkId id;
  std::vector<Bytes> now;                    // a block each
  std::vector<std::vector<Bytes>> possible;  // after a power loss; the first one is durable
  std::optional<std::uint32_t> length;       // nothing: no such chunk
  std::vector<std::optional<std::uint32_t>> possible_lengths;
};

/// An operation's effect on a chunk, before anybody knows whether it has taken place.
struct Effect {
  std::vector<Bytes> blocks;
  std::optional<std::uint32_t> length;
};

/// A worker with a few chunks of its own, on which it does one thing after another.
class Worker {
 public:
  Worker(unsigned index, SimRandom& random) : random_(random) {
    for (unsigned i = 0; i < 3; ++i) {
      ChunkModel chunk;
      chunk.id = ChunkId(1 + index * 3 + i);
      chunk.now.assign(kBlocks, zeros_);
      chunk.possible.assign(kBlocks, {zeros_});
      chunk.possible_lengths.push_back(std::nullopt);
      chunks_.push_back(std::move(chunk));
    }
  }

  std::vector<ChunkModel>& chunks() { return chunks_; }
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
    for (ChunkModel& chunk : chunks_) {
      Result<std::optional<ChunkStat>> stat = co_await store.Stat(chunk.id);
      CHECK(stat.has_value());
      std::optional<std::uint32_t> length;
      if (stat->has_value()) length = (*stat)->record.length_bytes;
      bool known = std::find(chunk.possible_lengths.begin(), chunk.possible_lengths.end(), length) !=
                   chunk.possible_lengths.end();
      EXPECT_TRUE(known) << "chunk " << chunk.id.value() << " has length " << length.value_or(0);
      Result<ChunkRead> read = co_await store.Read(chunk.id, 0, kExtent);
      CHECK(read.has_value());
      std::string bytes = BytesOf(*read, kExtent);
      bool is_old = length == chunk.length;
      bool is_new = in_flight_chunk_ == &chunk && length == in_flight_.length;
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
      chunk.length = length;
      if (power_loss) chunk.possible_lengths.clear();
      chunk.possible_lengths.push_back(length);
    }
    in_flight_chunk_ = nullptr;
  }

 private:
  void VerifyBlock(const ChunkModel& chunk, std::size_t index, std::string_view block) {
    bool known = std::any_of(chunk.possible[index].begin(), chunk.possible[index].end(),
                             [&](const Bytes& bytes) { return *bytes == block; });
    EXPECT_TRUE(known) << "chunk " << chunk.id.value() << " block " << index << " holds what was never there, or was"
                       << " overwritten durably; " << chunk.possible[index].size() << " versions are possible";
  }

  Task<Result<void>> Step(ExtentStore& store) {
    ChunkModel& chunk = chunks_[random_.Below(chunks_.size())];
    std::uint64_t kind = random_.Below(100);
    if (kind < 60) return Write(store, chunk);
    if (kind < 70) return Zero(store, chunk);
    if (kind < 78) return Trim(store, chunk);
    if (kind < 88) return Copy(store, chunk);
    if (kind < 92) return Remove(store, chunk);
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
    effect.length = std::max(chunk.length.value_or(0), range.offset_bytes + range.length_bytes);
    Begin(chunk, effect);
    ChunkWrite write = MakeWrite(chunk.id, range.offset_bytes, bytes, sync);
    Result<void> written = co_await store.Write(std::move(write));
    if (written) End(chunk);
    if (written && sync) MakeDurable(chunk, range.offset_bytes, range.offset_bytes + range.length_bytes);
    co_return written;
  }

  Task<Result<void>> Zero(ExtentStore& store, ChunkModel& chunk) {
    Range range = DrawRange();
    Effect effect = Overwrite(chunk, range, std::string(range.length_bytes, '\0'));
    effect.length = chunk.length;
    Begin(chunk, effect);
    ChunkZero zero;
    zero.chunk = chunk.id;
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
    effect.length = std::min(chunk.length.value_or(0), length);
    Begin(chunk, effect);
    ChunkTrim trim;
    trim.chunk = chunk.id;
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
    effect.length = std::max(target.length.value_or(0), range.offset_bytes + range.length_bytes);
    Begin(target, effect);
    ChunkCopy copy;
    copy.source = source.id;
    copy.target = target.id;
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
    Result<void> removed = co_await store.Remove(chunk.id);
    if (removed) End(chunk);
    co_return removed;
  }

  Task<Result<void>> Sync(ExtentStore& store) {
    Result<void> synced = co_await store.Sync();
    if (synced) {
      for (ChunkModel& chunk : chunks_) MakeDurable(chunk, 0, kExtent);
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
    chunk.possible_lengths.push_back(effect.length);
    in_flight_ = std::move(effect);
    in_flight_chunk_ = &chunk;
  }
  void End(ChunkModel& chunk) {
    chunk.now = std::move(in_flight_.blocks);
    chunk.length = in_flight_.length;
    in_flight_chunk_ = nullptr;
  }
  // Blocks that [begin, end) touches; the chunk's record with them.
  static void MakeDurable(ChunkModel& chunk, std::uint32_t begin_bytes, std::uint32_t end_bytes) {
    for (std::size_t i = begin_bytes / kBlock; i * kBlock < end_bytes; ++i) chunk.possible[i] = {chunk.now[i]};
    chunk.possible_lengths = {chunk.length};
  }

  SimRandom& random_;
  const Bytes zeros_ = std::make_shared<std::string>(kBlock, '\0');
  std::vector<ChunkModel> chunks_;
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
    for (ChunkModel& chunk : worker->chunks()) ASSERT_TRUE(s.Remove(chunk.id).has_value());
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
