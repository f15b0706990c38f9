#include "tests/sim/workload/turns.h"

#include <fmt/format.h>

#include <cstring>

namespace gabion {
namespace {

constexpr const char* kTurnsDirectory = "/turns";
constexpr unsigned kCounterFiles = 2;
constexpr unsigned kCountersPerFile = 2;
constexpr unsigned kProcessesPerClient = 2;
constexpr std::uint64_t kCounterBytes = 4096;

std::string EncodeCount(std::uint64_t value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

}  // namespace

Turns::Turns(SimCluster& cluster, int ops) : Workload(cluster), ops_(ops) {
  for (unsigned i = 0; i < kCounterFiles * kCountersPerFile; ++i) {
    Counter& counter = counters_.emplace_back();
    counter.path = fmt::format("{}/counters{}", kTurnsDirectory, i / kCountersPerFile);
    counter.begin = i % kCountersPerFile * kCounterBytes;
  }
}

void Turns::MayLapse(const std::string& machine) {
  may_lapse_.insert(machine);
}

Task<void> Turns::Prepare() {
  PosixCalls& client = *clients_.front();
  const Result<void> made = co_await client.Mkdir(kTurnsDirectory);
  Workload::Expect("mkdir", made);
  for (unsigned i = 0; i < kCounterFiles; ++i) {
    std::string zeros(kCountersPerFile * kCounterBytes, '\0');
    const Result<void> written =
        co_await client.WriteFileDurably(fmt::format("{}/counters{}", kTurnsDirectory, i), zeros);
    Workload::Expect("making the counters", written);
  }
  co_await SyncDirectory(client, kTurnsDirectory);
}

std::vector<Task<void>> Turns::Streams() {
  std::vector<Task<void>> running;
  for (unsigned i = 0; i < clients_.size() * kProcessesPerClient; ++i) running.push_back(Run(i));
  return running;
}

Task<void> Turns::Run(unsigned index) {
  SimRandom random(DeriveSeed(seed(), fmt::format("turns {}", index)));
  PosixCalls& client = *clients_[index % clients_.size()];
  for (int i = 0; i < ops_ / 4 && failure().empty(); ++i) {
    co_await Think(random);
    co_await Step(random, index + 1, client, counters_[random.Below(counters_.size())]);
  }
}

template <typename T>
bool Turns::Expect(const std::string& client, const std::string& what, const Result<T>& result, Counter& counter) {
  const bool may_fail = power_lost_ || !counter.value || may_lapse_.contains(client) || may_lapse_.contains("meta");
  if (!result && result.error().code() == ErrorCode::kIo && may_fail) {
    counter.value.reset();
    return false;
  }
  return Workload::Expect(what, result);
}

void Turns::Enter(unsigned process, const std::string& client, bool exclusive, Counter& counter) {
  cluster_.world().Trace(fmt::format("op: {}: process {} has a{} lock on {} at {}", client, process,
                                     exclusive ? "n exclusive" : " shared", counter.path, counter.begin));
  for (auto other = counter.holders.begin(); other != counter.holders.end();) {
    const auto& [others_client, others_exclusive] = other->second;
    if (!exclusive && !others_exclusive) {
      ++other;
      continue;
    }
    if (!may_lapse_.contains(others_client) && !may_lapse_.contains("meta")) {
      Fail(fmt::format("{}: process {} got a lock on {} at {} that process {} of {} has", client, process, counter.path,
                       counter.begin, other->first, others_client));
    }
    counter.value.reset();
    other = counter.holders.erase(other);
  }
  counter.holders[process] = {client, exclusive};
}

Task<void> Turns::Step(SimRandom& random, unsigned process, PosixCalls& client, Counter& counter) {
  const std::string what =
      fmt::format("{}: process {} on {} at {}", client.client(), process, counter.path, counter.begin);
  Result<Fd> fd = co_await client.Open(counter.path, O_RDWR);
  if (!Workload::Expect(what + ", open", fd)) co_return;
  fd->process = process;
  const bool exclusive = random.Chance(3, 4);
  const bool wait = random.Chance(3, 4);
  const std::uint64_t last = counter.begin + kCounterBytes - 1;
  const Result<void> locked = co_await client.Lock(*fd, counter.begin, last, exclusive, wait);
  if (locked) {
    Enter(process, client.client(), exclusive, counter);
    Task<void> counting = Count(random, process, client, *fd, counter);
    co_await std::move(counting);
    counter.holders.erase(process);  // before it may be given to another
    if (random.Chance(1, 2)) {
      const Result<void> unlocked = co_await client.Unlock(*fd, counter.begin, last);
      Expect(client.client(), what + ", unlock", unlocked, counter);
    }
  } else if (wait || locked.error().code() != ErrorCode::kLocked) {
    Workload::Expect(what + ", lock", locked);
  }
  const Result<void> closed = co_await client.Close(*fd);
  Expect(client.client(), what + ", close", closed, counter);
}

/// Under the lock.
Task<void> Turns::Count(SimRandom& random, unsigned process, PosixCalls& client, Fd fd, Counter& counter) {
  const std::string what =
      fmt::format("{}: process {} on {} at {}", client.client(), process, counter.path, counter.begin);
  const Result<std::string> read = co_await client.Pread(fd, counter.begin, sizeof(std::uint64_t));
  if (!Expect(client.client(), what + ", read", read, counter)) co_return;
  std::uint64_t value = 0;
  if (read->size() == sizeof(value)) std::memcpy(&value, read->data(), sizeof(value));
  if (counter.value && value != *counter.value) {
    Fail(fmt::format("{}: counted to {} where {} is right", what, value, *counter.value));
  }
  co_await Think(random);
  const auto holder = counter.holders.find(process);
  if (holder == counter.holders.end() || !holder->second.second) co_return;  // robbed, or a reader
  const Result<void> written = co_await client.Pwrite(fd, counter.begin, EncodeCount(value + 1));
  if (!Expect(client.client(), what + ", write", written, counter)) co_return;
  const Result<void> synced = co_await client.Fsync(fd);
  if (!Expect(client.client(), what + ", fsync", synced, counter)) co_return;
  if (counter.value) counter.value = value + 1;
}

Task<void> Turns::Verify() {
  for (const auto& client : clients_) {
    for (Counter& counter : counters_) {
      const Result<std::string> bytes = co_await client->ReadFile(counter.path);
      if (!Workload::Expect(client->client() + ": at the end, " + counter.path, bytes)) co_return;
      std::uint64_t value = 0;
      if (bytes->size() >= counter.begin + sizeof(value))
        std::memcpy(&value, bytes->data() + counter.begin, sizeof(value));
      if (counter.value && value != *counter.value) {
        Fail(fmt::format("{}: at the end, {} at {} is {} where {} is right", client->client(), counter.path,
                         counter.begin, value, *counter.value));
      }
    }
  }
}

Task<void> Turns::SyncAll() {
  for (const Counter& counter : counters_) {
    Task<void> syncing = SyncFile(*clients_.front(), counter.path);
    co_await std::move(syncing);
  }
}

Task<void> Turns::Remove() {
  Task<void> removing = RemoveDirectory(*clients_.back(), kTurnsDirectory);
  co_await std::move(removing);
}

}  // namespace gabion
