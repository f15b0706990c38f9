#include "tests/sim/workload/appends.h"

#include <fmt/format.h>

#include <cstring>
#include <set>

namespace gabion {
namespace {

constexpr const char* kAppendDirectory = "/append";
constexpr unsigned kSharedFiles = 2;
constexpr unsigned kAppendersPerClient = 2;
constexpr std::size_t kShortestRecord = 2 * sizeof(std::uint64_t);

/// A record of `length` bytes: its number and length, then bytes that follow from both.
std::string MakeRecord(std::uint64_t number, std::size_t length) {
  std::string record(length, '\0');
  const std::uint64_t words[] = {number, length};
  std::memcpy(record.data(), words, sizeof(words));
  for (std::size_t at = sizeof(words); at < length; ++at) {
    record[at] = static_cast<char>('a' + (number * 7 + at) % 26);
  }
  return record;
}

}  // namespace

Appends::Appends(SimCluster& cluster, AppendsOptions options) : Workload(cluster), options_(options) {
  const auto add = [this](int owner) {
    files_.push_back(std::make_unique<File>());
    files_.back()->path = fmt::format("{}/log{}", kAppendDirectory, files_.size());
    files_.back()->owner = owner;
  };
  for (unsigned i = 0; i < kSharedFiles; ++i) add(-1);
  for (unsigned i = 0; i < clients_.size(); ++i) add(static_cast<int>(i));
}

Appends::~Appends() = default;

Task<void> Appends::Prepare() {
  PosixCalls& client = *clients_.front();
  const Result<void> made = co_await client.Mkdir(kAppendDirectory);
  Expect("mkdir", made);
  for (const auto& file : files_) {
    const Result<void> written = co_await client.WriteFileDurably(file->path, std::string());
    Expect("making " + file->path, written);
  }
  co_await SyncDirectory(client, kAppendDirectory);
}

std::vector<Task<void>> Appends::Streams() {
  std::vector<Task<void>> running;
  for (unsigned i = 0; i < clients_.size() * kAppendersPerClient; ++i) running.push_back(Run(i));
  return running;
}

Task<void> Appends::Run(unsigned index) {
  SimRandom random(DeriveSeed(seed(), fmt::format("append {}", index)));
  const unsigned client = index % static_cast<unsigned>(clients_.size());
  for (int i = 0; i < options_.ops && failure().empty(); ++i) {
    co_await Think(random);
    std::vector<File*> mine;
    for (const auto& file : files_) {
      if (file->owner < 0 || file->owner == static_cast<int>(client)) mine.push_back(file.get());
    }
    co_await Step(random, client, *mine[random.Below(mine.size())]);
  }
}

Task<void> Appends::Step(SimRandom& random, unsigned client, File& file) {
  AsyncMutex::Guard turn;
  const bool alone = file.owner < 0 && !options_.at_once;
  if (alone) turn = co_await file.turn.Lock();
  // What others append meanwhile may be half there: only who is alone looks.
  const bool looks = alone && random.Chance(1, 6);
  Task<void> step = looks ? Check(*clients_[client], file) : AppendSome(random, *clients_[client], file);
  co_await std::move(step);
}

Task<void> Appends::AppendSome(SimRandom& random, PosixCalls& client, File& file) {
  const std::string what = client.client() + ": append to " + file.path;
  const int flags = O_WRONLY | O_APPEND | (random.Chance(1, 4) ? O_DSYNC : 0);
  const Result<Fd> fd = co_await client.Open(file.path, flags);
  if (!Expect(what, fd)) co_return;
  for (std::uint64_t left = 1 + random.Below(3); left > 0; --left) {
    // Mostly short ones; one is longer than a block.
    const std::size_t length = kShortestRecord + random.Below(random.Chance(1, 5) ? 20'000 : 300);
    const std::uint64_t number = ++last_record_;
    const Result<void> written = co_await client.Pwrite(*fd, 0, MakeRecord(number, length));
    cluster_.world().Trace(fmt::format("op: {}: record {} of {} bytes", what, number, length));
    if (Expect(what, written)) file.records[number] = length;
  }
  const Result<void> closed = co_await client.Close(*fd);
  Expect(what + ", close", closed);
}

Task<void> Appends::Check(PosixCalls& client, File& file) {
  const Result<std::string> bytes = co_await client.ReadFile(file.path);
  if (!Expect(client.client() + ": read " + file.path, bytes)) co_return;
  const std::string problem = CompareRecords(*bytes, file);
  if (!problem.empty()) Fail(fmt::format("{}: {}: {}", client.client(), file.path, problem));
}

std::string Appends::CompareRecords(const std::string& bytes, const File& file) {
  std::set<std::uint64_t> seen;
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint64_t words[2] = {};
    if (bytes.size() - at < kShortestRecord) return fmt::format("a torn record at {}", at);
    std::memcpy(words, bytes.data() + at, sizeof(words));
    const auto [number, length] = words;
    const auto known = file.records.find(number);
    if (known == file.records.end() || known->second != length) return fmt::format("no record begins at {}", at);
    if (bytes.compare(at, length, MakeRecord(number, length)) != 0) {
      return fmt::format("record {} at {} is torn", number, at);
    }
    if (!seen.insert(number).second) return fmt::format("record {} is there twice, again at {}", number, at);
    at += length;
  }
  if (seen.size() != file.records.size()) {
    return fmt::format("{} records of {} that were acknowledged", seen.size(), file.records.size());
  }
  return {};
}

Task<void> Appends::Verify() {
  for (const auto& client : clients_) {
    for (const auto& file : files_) {
      Task<void> checking = Check(*client, *file);
      co_await std::move(checking);
    }
  }
}

Task<void> Appends::SyncAll() {
  for (const auto& file : files_) {
    Task<void> syncing = SyncFile(*clients_.back(), file->path);
    co_await std::move(syncing);
  }
}

Task<void> Appends::Remove() {
  Task<void> removing = RemoveDirectory(*clients_.back(), kAppendDirectory);
  co_await std::move(removing);
}

}  // namespace gabion
