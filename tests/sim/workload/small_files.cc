#include "tests/sim/workload/small_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <asio/this_coro.hpp>
#include <iterator>
#include <utility>

namespace gabion {
namespace {

constexpr const char* kSmallDirectory = "/small";
constexpr unsigned kSmallWorkers = 3;
constexpr std::uint64_t kMadeAtOnce = 6;
constexpr std::uint64_t kLongestSmall = 12'000;

std::string SmallContent(SimRandom& random, const std::string& path) {
  const std::size_t length = random.Chance(1, 8) ? 0 : 1 + random.Below(random.Chance(1, 2) ? 200 : kLongestSmall);
  std::string bytes;
  while (bytes.size() < length) bytes += path + '\n';
  bytes.resize(length);
  return bytes;
}

}  // namespace

Task<void> SmallFiles::Prepare() {
  const Result<void> made = co_await clients_.front()->Mkdir(kSmallDirectory);
  Expect("mkdir", made);
  co_await SyncDirectory(*clients_.front(), "/");
}

std::vector<Task<void>> SmallFiles::Streams() {
  std::vector<Task<void>> running;
  files_.resize(kSmallWorkers);
  for (unsigned i = 0; i < kSmallWorkers; ++i) running.push_back(Run(i));
  return running;
}

Task<void> SmallFiles::Run(unsigned index) {
  SimRandom random(DeriveSeed(seed(), fmt::format("small files {}", index)));
  Files& files = files_[index];
  for (int i = 0; i < ops_ && failure().empty(); ++i) {
    co_await Think(random);
    if (files.empty() || random.Chance(1, 5)) {
      co_await MakeSome(random, index);
      continue;
    }
    auto chosen = files.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random.Below(files.size())));
    PosixCalls& client = AnyClient(random);
    if (random.Chance(1, 2)) {
      Task<void> reading = ReadOne(client, chosen->first, chosen->second);
      co_await std::move(reading);
    } else {
      const std::string path = chosen->first;
      files.erase(chosen);
      Task<void> removing = RemoveOne(client, path);
      co_await std::move(removing);
    }
  }
}

/// Several at once, each read back by some client as soon as all are closed.
Task<void> SmallFiles::MakeSome(SimRandom& random, unsigned index) {
  Files made;
  for (std::uint64_t left = 1 + random.Below(kMadeAtOnce); left > 0; --left) {
    const std::string path = fmt::format("{}/f{}", kSmallDirectory, ++last_file_);
    made[path] = SmallContent(random, path);
  }
  const Executor here = co_await asio::this_coro::executor;
  TaskGroup making;
  for (const auto& [path, bytes] : made) making.Spawn(here, MakeOne(AnyClient(random), path, bytes));
  co_await making.Join();
  TaskGroup reading;
  for (const auto& [path, bytes] : made) reading.Spawn(here, ReadOne(AnyClient(random), path, bytes));
  co_await reading.Join();
  files_[index].merge(made);
}

Task<void> SmallFiles::MakeOne(PosixCalls& client, std::string path, std::string bytes) {
  const Result<Fd> fd = co_await client.Open(path, O_WRONLY | O_CREAT | O_EXCL);
  if (!Expect(client.client() + ": create " + path, fd)) co_return;
  const Result<void> written = co_await client.Pwrite(*fd, 0, std::move(bytes));
  Expect(client.client() + ": write " + path, written);
  const Result<void> closed = co_await client.Close(*fd);
  Expect(client.client() + ": close " + path, closed);
}

Task<void> SmallFiles::ReadOne(PosixCalls& client, std::string path, std::string wanted) {
  const Result<std::string> read = co_await client.ReadFile(path);
  const std::string what = client.client() + ": read " + path;
  cluster_.world().Trace("op: " + what);
  if (!Expect(what, read) || *read == wanted) co_return;
  const auto differ = std::mismatch(read->begin(), read->end(), wanted.begin(), wanted.end());
  Fail(fmt::format("{}: {} bytes instead of {}, the first difference at {}", what, read->size(), wanted.size(),
                   differ.first - read->begin()));
}

Task<void> SmallFiles::RemoveOne(PosixCalls& client, std::string path) {
  const Result<void> removed = co_await client.Unlink(path);
  Expect(client.client() + ": unlink " + path, removed);
  const Result<FileAttr> found = co_await clients_.front()->Stat(path);
  if (found) Fail(client.client() + ": " + path + " is there after it was removed");
}

Task<void> SmallFiles::Verify() {
  std::size_t count = 0;
  for (const Files& files : files_) count += files.size();
  for (const auto& client : clients_) {
    const Result<std::vector<DirectoryItem>> items = co_await client->List(kSmallDirectory);
    if (Expect(client->client() + ": list", items) && items->size() != count) {
      Fail(fmt::format("{}: at the end {} files are listed instead of {}", client->client(), items->size(), count));
    }
    for (const Files& files : files_) {
      for (const auto& [path, bytes] : files) {
        Task<void> reading = ReadOne(*client, path, bytes);
        co_await std::move(reading);
      }
    }
  }
}

Task<void> SmallFiles::SyncAll() {
  for (const Files& files : files_) {
    for (const auto& [path, bytes] : files) {
      Task<void> syncing = SyncFile(*clients_.back(), path);
      co_await std::move(syncing);
    }
  }
  co_await SyncDirectory(*clients_.front(), kSmallDirectory);
}

Task<void> SmallFiles::Remove() {
  Task<void> removing = RemoveDirectory(*clients_.front(), kSmallDirectory);
  co_await std::move(removing);
}

}  // namespace gabion
