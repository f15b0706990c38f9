#include "tests/sim/workload/registers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/base/byte_units.h"

namespace gabion {
namespace {

constexpr unsigned kFiles = 2;
constexpr unsigned kWorkersPerClient = 2;
constexpr const char* kDirectory = "/registers";

// In the first chunk and in the second one; the shorter row is stored inline when it is synced, the longer one in
// slabs.
struct Row {
  std::uint64_t offset_bytes;
  unsigned blocks;
};
constexpr Row kRows[] = {{0, 3}, {kMiB, 8}, {kChunkBytes, 3}};

/// A block that is `value` all over.
std::string Encode(std::uint64_t value) {
  std::string block(kBlockBytes, '\0');
  for (std::size_t at = 0; at < block.size(); at += sizeof(value)) {
    const std::uint64_t word = value + (at << 40);
    std::memcpy(block.data() + at, &word, sizeof(word));
  }
  return block;
}

/// Nothing if the block is not whole.
std::optional<std::uint64_t> Decode(std::string_view block) {
  std::uint64_t value = 0;
  if (block.size() != kBlockBytes) return std::nullopt;
  std::memcpy(&value, block.data(), sizeof(value));
  if (Encode(value) != block) return std::nullopt;
  return value;
}

}  // namespace

Registers::Registers(SimCluster& cluster, RegistersOptions options) : Workload(cluster), options_(options) {
  for (unsigned file = 0; file < kFiles; ++file) {
    for (const Row& row : kRows) rows_.push_back({file, row.offset_bytes / kBlockBytes, row.blocks});
  }
}

std::string Registers::PathOf(unsigned file) {
  return fmt::format("{}/file{}", kDirectory, file);
}

Task<void> Registers::Prepare() {
  PosixCalls& client = *clients_.front();
  const Result<void> made = co_await client.Mkdir(kDirectory);
  Expect("mkdir", made);
  for (unsigned file = 0; file < kFiles; ++file) {
    const Result<Fd> fd = co_await client.Open(PathOf(file), O_RDWR | O_CREAT);
    if (!Expect("open " + PathOf(file), fd)) co_return;
    for (const Span& row : rows_) {
      if (row.file == file) co_await WriteSpan(0, *fd, row);
    }
    const Result<void> closed = co_await client.Close(*fd);
    Expect("close " + PathOf(file), closed);
  }
  co_await SyncAll();
}

std::vector<Task<void>> Registers::Streams() {
  std::vector<Task<void>> running;
  for (unsigned i = 0; i < clients_.size() * kWorkersPerClient; ++i) running.push_back(Run(i));
  return running;
}

Task<void> Registers::Run(unsigned index) {
  SimRandom random(DeriveSeed(seed(), fmt::format("registers {}", index)));
  const unsigned client = index % static_cast<unsigned>(clients_.size());
  // Some sync with the write, some after it, some do not.
  constexpr int kFlags[] = {O_RDWR | O_DIRECT | O_DSYNC, O_RDWR | O_DIRECT, O_RDWR};
  const int flags = kFlags[random.Below(std::size(kFlags))];
  std::vector<Fd> fds;
  for (unsigned file = 0; file < kFiles; ++file) {
    const Result<Fd> fd = co_await clients_[client]->Open(PathOf(file), flags);
    if (!Expect("open " + PathOf(file), fd)) co_return;
    fds.push_back(*fd);
  }
  for (int i = 0; i < options_.ops && failure().empty(); ++i) {
    co_await Think(random);
    const Span span = RandomSpan(random);
    const bool may_write = !options_.one_writer_each || span.file % clients_.size() == client;
    Task<void> step = may_write && random.Chance(1, 2) ? WriteSpan(client, fds[span.file], span)
                                                       : ReadSpan(client, fds[span.file], span);
    co_await std::move(step);
  }
  for (const Fd& fd : fds) {
    const Result<void> closed = co_await clients_[client]->Close(fd);
    if (!MayBeUndone(client, closed)) Expect("close", closed);
  }
}

/// There was no space, or all copies lost power before a sync, or the client its lease, and this call says so: what was
/// written is there, or it is not.
bool Registers::MayBeUndone(unsigned client, const Result<void>& done) const {
  if (done) return false;
  return done.error().code() == ErrorCode::kNoSpace ||
         (done.error().code() == ErrorCode::kIo && (!power_losses_.empty() || MayHaveLapsed(client)));
}

bool Registers::MayHaveLapsed(unsigned client) const {
  return may_lapse_.contains(clients_[client]->client()) || may_lapse_.contains("meta");
}

bool Registers::MayBeLost(const RegisterOp& write) const {
  return unsynced_.contains(write.value) && (MayHaveLapsed(write.client) || may_lack_space_);
}

Registers::Span Registers::RandomSpan(SimRandom& random) {
  Span span = rows_[random.Below(rows_.size())];
  if (random.Chance(1, 3)) return span;
  span.first_block += random.Below(span.blocks);
  span.blocks = 1;
  return span;
}

Task<void> Registers::WriteSpan(unsigned client, Fd fd, Span span) {
  std::string bytes;
  std::vector<RegisterOp> ops;
  for (unsigned i = 0; i < span.blocks; ++i) {
    ops.push_back({true, ++last_value_, client, Now(), std::nullopt});
    writes_[last_value_] = ops.back();
    bytes += Encode(last_value_);
  }
  const std::string what = fmt::format("{}: write {:x} to block {} of {}", clients_[client]->client(), ops[0].value,
                                       span.first_block, PathOf(span.file));
  Result<void> done = co_await clients_[client]->Pwrite(fd, span.first_block * kBlockBytes, bytes);
  const bool gathers = (fd.flags & O_DIRECT) == 0;
  if (done && !gathers && (fd.flags & O_DSYNC) == 0) done = co_await clients_[client]->Fsync(fd);
  cluster_.world().Trace(fmt::format("op: {}: {}", what, done ? "OK" : done.error().ToString()));
  // It may have an effect, at any time.
  const bool is_open = MayBeUndone(client, done);
  if (!is_open && !Expect(what, done)) co_return;
  for (unsigned i = 0; i < span.blocks; ++i) {
    if (!is_open) ops[i].end = Now();
    if (gathers) unsynced_.insert(ops[i].value);
    writes_[ops[i].value] = ops[i];
    ops_[{span.file, span.first_block + i}].push_back(ops[i]);
  }
}

Task<void> Registers::ReadSpan(unsigned client, Fd fd, Span span) {
  const TimePoint begin = Now();
  const std::string what =
      fmt::format("{}: read block {} of {}", clients_[client]->client(), span.first_block, PathOf(span.file));
  const Result<std::string> read = co_await clients_[client]->Pread(
      fd, span.first_block * kBlockBytes, static_cast<std::uint32_t>(span.blocks * kBlockBytes));
  if (!Expect(what, read)) co_return;
  for (unsigned i = 0; i < span.blocks; ++i) {
    const std::size_t at = std::min<std::size_t>(i * kBlockBytes, read->size());
    const std::optional<std::uint64_t> value = Decode(std::string_view(*read).substr(at, kBlockBytes));
    cluster_.world().Trace(fmt::format("op: {} + {}: {:x}", what, i, value.value_or(0)));
    if (!value || !writes_.contains(*value)) {
      Fail(fmt::format("{} + {}: not what any write has left there", what, i));
      continue;
    }
    ops_[{span.file, span.first_block + i}].push_back({false, *value, client, begin, Now()});
  }
}

Task<void> Registers::ReadAll(unsigned client) {
  for (unsigned file = 0; file < kFiles; ++file) {
    const Result<Fd> fd = co_await clients_[client]->Open(PathOf(file), O_RDONLY);
    if (!Expect("open " + PathOf(file), fd)) co_return;
    for (const Span& row : rows_) {
      if (row.file == file) co_await ReadSpan(client, *fd, row);
    }
    const Result<void> closed = co_await clients_[client]->Close(*fd);
    Expect("close " + PathOf(file), closed);
  }
}

Task<void> Registers::Verify() {
  for (unsigned client = 0; client < clients_.size(); ++client) co_await ReadAll(client);
  CheckHistories();
}

/// Whether later reads have to agree with this one. What was not synced when servers lost power may be gone since; and
/// so may what only its own client has seen, if it lost its lease.
bool Registers::Binds(const RegisterOp& read) const {
  const RegisterOp& write = writes_.at(read.value);
  const auto ended_before = [&](TimePoint when) {
    return write.end && *write.end <= when && !unsynced_.contains(read.value);
  };
  const bool own = read.client == write.client;
  if (own && (MayBeLost(write) || !write.end)) return false;
  return std::all_of(power_losses_.begin(), power_losses_.end(),
                     [&](TimePoint loss) { return loss < read.begin || ended_before(loss); });
}

void Registers::CheckHistories() {
  for (const auto& [key, ops] : ops_) {
    RegisterHistory history;
    for (RegisterOp op : ops) {
      if (op.is_write && MayBeLost(op)) op.end.reset();
      const bool lost_power = op.is_write && unsynced_.contains(op.value) && !power_losses_.empty();
      if (lost_power) op.end.reset();
      if (op.is_write || Binds(op)) history.Add(op);
    }
    const std::string problem = history.Check();
    if (!problem.empty()) Fail(fmt::format("block {} of {}: {}", key.second, PathOf(key.first), problem));
  }
}

Task<void> Registers::SyncAll() {
  for (unsigned file = 0; file < kFiles; ++file) co_await SyncFile(*clients_.front(), PathOf(file));
  const Result<void> synced = co_await clients_.front()->FsyncDir(kDirectory);
  Expect("fsync of the directory", synced);
}

Task<void> Registers::Remove() {
  Task<void> removing = RemoveDirectory(*clients_.back(), kDirectory);
  co_await std::move(removing);
}

}  // namespace gabion
