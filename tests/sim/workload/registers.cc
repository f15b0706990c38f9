#include "tests/sim/workload/registers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "common/base/byte_units.h"

namespace gabion {
namespace {

constexpr unsigned kFiles = 2;
// The file whose size is a register, in units of so many bytes.
constexpr unsigned kGrowingFile = kFiles;
constexpr std::uint64_t kSizeUnit = 16;
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

Registers::Registers(SimCluster& cluster, RegistersOptions options)
    : Workload(cluster), options_(options), fates_(static_cast<unsigned>(cluster.clients().size())) {
  for (unsigned file = 0; file < kFiles; ++file) {
    for (const Row& row : kRows) rows_.push_back({file, row.offset_bytes / kBlockBytes, row.blocks});
  }
}

std::string Registers::PathOf(unsigned file) {
  return fmt::format("{}/file{}", kDirectory, file);
}

/// A metaserver that stands still costs nobody anything: it gives all sessions as long afterwards.
void Registers::MayLapse(const std::string& machine) {
  for (unsigned client = 0; client < clients_.size(); ++client) {
    if (clients_[client]->client() == machine) fates_.away(client).Begin(Now());
  }
}

void Registers::IsBack(const std::string& machine) {
  for (unsigned client = 0; client < clients_.size(); ++client) {
    if (clients_[client]->client() == machine) fates_.away(client).End(Now());
  }
}

Task<void> Registers::Prepare() {
  PosixCalls& client = *clients_.front();
  const Result<void> made = co_await client.Mkdir(kDirectory);
  Expect("mkdir", made);
  for (unsigned file = 0; file < kFiles; ++file) {
    std::optional<Handle> handle = co_await OpenFile(0, file, O_RDWR | O_CREAT);
    if (!handle) co_return;
    for (const Span& row : rows_) {
      if (row.file == file) co_await WriteSpan(*handle, row);
    }
    co_await CloseFile(*handle);
  }
  std::optional<Handle> growing = co_await OpenFile(0, kGrowingFile, O_RDWR | O_CREAT);
  if (!growing) co_return;
  co_await Grow(*growing);
  co_await CloseFile(*growing);
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
  // Some sync with the write, some after it, some now and then.
  constexpr int kFlags[] = {O_RDWR | O_DIRECT | O_DSYNC, O_RDWR | O_DIRECT, O_RDWR};
  const int flags = kFlags[random.Below(std::size(kFlags))];
  std::vector<Handle> handles;
  for (unsigned file = 0; file <= kGrowingFile; ++file) {
    std::optional<Handle> handle = co_await OpenFile(client, file, flags);
    if (!handle) co_return;
    handles.push_back(*handle);
  }
  for (int i = 0; i < options_.ops && failure().empty(); ++i) {
    co_await Think(random);
    Span span = RandomSpan(random);
    if (random.Chance(1, 5)) span.file = kGrowingFile;
    Handle& handle = handles[span.file];
    co_await Step(random, handle, span);
    if (!random.Chance(1, 20)) continue;
    co_await CloseFile(handle);
    std::optional<Handle> again = co_await OpenFile(client, span.file, flags);
    if (!again) co_return;
    handle = *again;
  }
  for (const Handle& handle : handles) co_await CloseFile(handle);
}

Task<void> Registers::Step(SimRandom& random, Handle& handle, Span span) {
  const bool may_write = !options_.one_writer_each || span.file % clients_.size() == handle.client;
  const bool grows = span.file == kGrowingFile;
  if (!may_write || random.Chance(1, 2)) {
    Task<void> reading = grows ? ReadSize(handle) : ReadSpan(handle, span);
    co_await std::move(reading);
    co_return;
  }
  Task<void> writing = grows ? Grow(handle) : WriteSpan(handle, span);
  co_await std::move(writing);
  const bool gathers = (handle.fd.flags & O_DIRECT) == 0;
  const bool syncs = gathers ? random.Chance(1, 8) : (handle.fd.flags & O_DSYNC) == 0;
  if (syncs) co_await SyncHandle(handle);
}

Task<std::optional<Registers::Handle>> Registers::OpenFile(unsigned client, unsigned file, int flags) {
  const Result<Fd> fd = co_await clients_[client]->Open(PathOf(file), flags);
  if (!Expect(clients_[client]->client() + ": open " + PathOf(file), fd)) co_return std::nullopt;
  co_return Handle{client, file, *fd, Now()};
}

Task<void> Registers::CloseFile(Handle handle) {
  const std::string what = clients_[handle.client]->client() + ": close " + PathOf(handle.file);
  const Result<void> closed = co_await clients_[handle.client]->Close(handle.fd);
  cluster_.world().Trace(fmt::format("op: {}: {}", what, closed ? "OK" : closed.error().ToString()));
  if (!TellsOfLoss(handle, closed)) Expect(what, closed);
}

/// There was no space, or all copies lost power before a sync, or the client its lease, and this call says so.
bool Registers::TellsOfLoss(Handle& handle, const Result<void>& result) {
  if (result) return false;
  handle.told = Now();
  const ErrorCode code = result.error().code();
  return (code == ErrorCode::kNoSpace && fates_.MayHaveLackedSpace()) ||
         (code == ErrorCode::kIo && fates_.MayHaveLost(handle.client));
}

Registers::Span Registers::RandomSpan(SimRandom& random) {
  Span span = rows_[random.Below(rows_.size())];
  if (random.Chance(1, 3)) return span;
  span.first_block += random.Below(span.blocks);
  span.blocks = 1;
  return span;
}

Task<void> Registers::WriteSpan(Handle& handle, Span span) {
  std::string bytes;
  std::vector<RegisterOp> ops;
  for (unsigned i = 0; i < span.blocks; ++i) {
    ops.push_back({true, ++last_value_, handle.client, Now(), std::nullopt});
    fates_.Add(ops.back(), span.file);
    bytes += Encode(last_value_);
  }
  const std::string what = fmt::format("{}: write {:x} to block {} of {}", clients_[handle.client]->client(),
                                       ops[0].value, span.first_block, PathOf(span.file));
  const Result<void> done = co_await clients_[handle.client]->Pwrite(handle.fd, span.first_block * kBlockBytes, bytes);
  cluster_.world().Trace(fmt::format("op: {}: {}", what, done ? "OK" : done.error().ToString()));
  // It may have an effect, at any time.
  const bool is_open = TellsOfLoss(handle, done);
  if (!is_open && !Expect(what, done)) co_return;
  for (unsigned i = 0; i < span.blocks; ++i) NoteWritten(ops[i], handle, span.first_block + i, is_open);
}

void Registers::NoteWritten(RegisterOp op, const Handle& handle, std::uint64_t block, bool is_open) {
  if (!is_open) {
    op.end = Now();
    fates_.SetEnd(op.value, Now());
    if ((handle.fd.flags & O_DIRECT) != 0) fates_.NoteSent(op.value);
    if ((handle.fd.flags & O_DSYNC) != 0) fates_.NoteSynced(op.value);
  }
  ops_[{handle.file, block}].push_back(op);
}

/// Of two that grow it at once, the one that began later wins, whichever is done last: as if that had been the order.
Task<void> Registers::Grow(Handle& handle) {
  const RegisterOp op{true, ++last_value_, handle.client, Now(), std::nullopt};
  fates_.Add(op, handle.file);
  const Result<void> done = co_await clients_[handle.client]->Pwrite(handle.fd, op.value * kSizeUnit - 1, "x");
  const std::string what = fmt::format("{}: grow to {:x}", clients_[handle.client]->client(), op.value);
  cluster_.world().Trace(fmt::format("op: {}: {}", what, done ? "OK" : done.error().ToString()));
  const bool is_open = TellsOfLoss(handle, done);
  if (is_open || Expect(what, done)) NoteWritten(op, handle, 0, is_open);
}

Task<void> Registers::SyncHandle(Handle& handle) {
  const std::string what = clients_[handle.client]->client() + ": fsync " + PathOf(handle.file);
  const std::uint64_t ended_before = fates_.ended();
  const Result<void> synced = co_await clients_[handle.client]->Fsync(handle.fd);
  cluster_.world().Trace(fmt::format("op: {}: {}", what, synced ? "OK" : synced.error().ToString()));
  if (TellsOfLoss(handle, synced) || !Expect(what, synced)) co_return;
  NoteSynced(handle.client, handle, ended_before);
}

void Registers::NoteSynced(std::optional<unsigned> client, const Handle& handle, std::uint64_t ended_before) {
  fates_.NoteFileSynced(client, handle.file, ended_before, handle.told);
}

Task<void> Registers::ReadSpan(const Handle& handle, Span span) {
  const TimePoint begin = Now();
  const std::string what =
      fmt::format("{}: read block {} of {}", clients_[handle.client]->client(), span.first_block, PathOf(span.file));
  const Result<std::string> read = co_await clients_[handle.client]->Pread(
      handle.fd, span.first_block * kBlockBytes, static_cast<std::uint32_t>(span.blocks * kBlockBytes));
  if (!Expect(what, read)) co_return;
  for (unsigned i = 0; i < span.blocks; ++i) {
    const std::size_t at = std::min<std::size_t>(i * kBlockBytes, read->size());
    const std::optional<std::uint64_t> value = Decode(std::string_view(*read).substr(at, kBlockBytes));
    cluster_.world().Trace(fmt::format("op: {} + {}: {:x}", what, i, value.value_or(0)));
    if (!value || !fates_.Knows(*value)) {
      Fail(fmt::format("{} + {}: not what any write has left there", what, i));
      continue;
    }
    ops_[{span.file, span.first_block + i}].push_back({false, *value, handle.client, begin, Now()});
  }
}

Task<void> Registers::ReadSize(const Handle& handle) {
  const TimePoint begin = Now();
  const std::string what = clients_[handle.client]->client() + ": size";
  const Result<FileAttr> attr = co_await clients_[handle.client]->Fstat(handle.fd);
  if (!Expect(what, attr)) co_return;
  const std::uint64_t value = attr->size / kSizeUnit;
  cluster_.world().Trace(fmt::format("op: {}: {:x}", what, value));
  if (attr->size % kSizeUnit == 0 && fates_.Knows(value)) {
    ops_[{handle.file, 0}].push_back({false, value, handle.client, begin, Now()});
  } else {
    Fail(fmt::format("{}: {} bytes are not what any write has left", what, attr->size));
  }
}

Task<void> Registers::ReadAll(unsigned client) {
  for (unsigned file = 0; file < kFiles; ++file) {
    const std::optional<Handle> handle = co_await OpenFile(client, file, O_RDONLY);
    if (!handle) co_return;
    for (const Span& row : rows_) {
      if (row.file == file) co_await ReadSpan(*handle, row);
    }
    co_await CloseFile(*handle);
  }
  const std::optional<Handle> growing = co_await OpenFile(client, kGrowingFile, O_RDONLY);
  if (!growing) co_return;
  co_await ReadSize(*growing);
  co_await CloseFile(*growing);
}

Task<void> Registers::Verify() {
  for (unsigned client = 0; client < clients_.size(); ++client) co_await ReadAll(client);
  CheckHistories();
}

/// A write that its client may have lost is lost, unless somebody has seen it for certain: then it happened when it was
/// called, as any other. It never comes back from a client that has lost it.
void Registers::CheckHistories() {
  for (const auto& [key, ops] : ops_) {
    std::set<std::uint64_t> seen;
    for (const RegisterOp& op : ops) {
      if (!op.is_write && fates_.Binds(op)) seen.insert(op.value);
    }
    RegisterHistory history;
    for (RegisterOp op : ops) {
      if (op.is_write) {
        const WriteFates::Fate fate = fates_.FateOf(op.value);
        if (fate == WriteFates::Fate::kLostOrKept && !seen.contains(op.value)) continue;
        if (fate == WriteFates::Fate::kLostForAWhile) op.end.reset();
      } else if (!fates_.Binds(op)) {
        continue;
      }
      history.Add(op);
    }
    const std::string problem = history.Check();
    if (!problem.empty()) Fail(fmt::format("block {} of {}: {}", key.second, PathOf(key.first), problem));
  }
}

/// Everybody has looked at everything, so all that is left is with the servers.
Task<void> Registers::SyncAll() {
  for (unsigned file = 0; file <= kGrowingFile; ++file) {
    std::optional<Handle> handle = co_await OpenFile(0, file, O_RDWR);
    if (!handle) co_return;
    const std::uint64_t ended_before = fates_.ended();
    Result<void> synced = co_await clients_.front()->Fsync(handle->fd);
    // Of what was lost behind handles that are closed nobody was told yet.
    if (TellsOfLoss(*handle, synced)) synced = co_await clients_.front()->Fsync(handle->fd);
    if (Expect("fsync of " + PathOf(file), synced)) NoteSynced(std::nullopt, *handle, ended_before);
    co_await CloseFile(*handle);
  }
  co_await SyncDirectory(*clients_.front(), kDirectory);
}

Task<void> Registers::Remove() {
  Task<void> removing = RemoveDirectory(*clients_.back(), kDirectory);
  co_await std::move(removing);
}

}  // namespace gabion
