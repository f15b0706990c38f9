#include "tests/sim/workload/workload.h"

#include <sys/stat.h>

namespace gabion {

Workload::Workload(SimCluster& cluster) : cluster_(cluster) {
  for (const std::string& client : cluster_.clients()) {
    clients_.push_back(std::make_unique<PosixCalls>(cluster_, client));
  }
}

void Workload::Fail(std::string what) {
  cluster_.world().Trace("failure: " + what);
  if (failure_.empty()) failure_ = std::move(what);
}

Task<void> Workload::Think(SimRandom& random) {
  constexpr std::uint64_t kMeanNs = 200'000'000;
  if (!random.Chance(1, 4)) co_return;
  const Duration pause(static_cast<std::int64_t>(random.Exponential(kMeanNs)));
  co_await cluster_.world().machine("test").clock().SleepFor(pause);
}

Task<void> Workload::SyncFile(PosixCalls& client, std::string path) {
  const Result<Fd> fd = co_await client.Open(path, O_RDWR);
  if (!Expect("open " + path + " for fsync", fd)) co_return;
  Result<void> synced = co_await client.Fsync(*fd);
  if (MayBeLost(synced)) synced = co_await client.Fsync(*fd);
  Expect("fsync " + path, synced);
  const Result<void> closed = co_await client.Close(*fd);
  Expect("close " + path, closed);
}

Task<void> Workload::SyncDirectory(PosixCalls& client, std::string path) {
  Result<void> synced = co_await client.FsyncDir(path);
  if (!synced && synced.error().code() == ErrorCode::kIo) synced = co_await client.FsyncDir(path);
  Expect("fsync of " + path, synced);
}

Task<void> Workload::RemoveDirectory(PosixCalls& client, std::string path) {
  const Result<std::vector<DirectoryItem>> items = co_await client.List(path);
  if (!Expect("list " + path, items)) co_return;
  for (const DirectoryItem& item : *items) {
    const std::string full = path + "/" + item.name;
    const Result<void> removed = co_await client.Unlink(full);
    if (!removed && removed.error().code() == ErrorCode::kIsDirectory) {
      Task<void> below = RemoveDirectory(client, full);
      co_await std::move(below);
    } else {
      Expect("removing " + full, removed);
    }
  }
  const Result<void> removed = co_await client.Rmdir(path);
  Expect("removing " + path, removed);
}

}  // namespace gabion
