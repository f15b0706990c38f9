#include "tests/sim/workload/storm.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace gabion {
namespace {

constexpr const char* kBase = "/storm";
constexpr unsigned kDirectories = 3;
constexpr unsigned kNamesPerDirectory = 6;
constexpr unsigned kStormersPerClient = 2;
// What its maker writes into every file.
constexpr std::string_view kContent = "made in a storm";

/// What a call may run into when others change the same names.
bool IsWeather(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kStale:  // it was removed between the look-up and the call
    case ErrorCode::kExists:
    case ErrorCode::kNotEmpty:
    case ErrorCode::kIsDirectory:
    case ErrorCode::kNotDirectory:
    case ErrorCode::kNotPermitted:  // a second name for a directory
      return true;
    default:
      return false;
  }
}

}  // namespace

Storm::Storm(SimCluster& cluster, int ops) : Workload(cluster), ops_(ops) {
  for (unsigned i = 0; i < kDirectories; ++i) directories_.push_back(fmt::format("{}/d{}", kBase, i));
  replaces_ = SimRandom(DeriveSeed(seed(), "storm")).Chance(1, 2);
}

Task<void> Storm::Prepare() {
  PosixCalls& client = *clients_.front();
  const Result<void> made = co_await client.Mkdir(kBase);
  Expect("mkdir", made);
  for (const std::string& directory : directories_) {
    const Result<void> below = co_await client.Mkdir(directory);
    Expect("mkdir " + directory, below);
  }
  co_await SyncDirectory(client, kBase);
}

std::vector<Task<void>> Storm::Streams() {
  std::vector<Task<void>> running;
  for (unsigned i = 0; i < clients_.size() * kStormersPerClient; ++i) running.push_back(Run(i));
  return running;
}

Task<void> Storm::Run(unsigned index) {
  SimRandom random(DeriveSeed(seed(), fmt::format("storm {}", index)));
  PosixCalls& client = *clients_[index % clients_.size()];
  for (int i = 0; i < ops_ && failure().empty(); ++i) {
    co_await Think(random);
    co_await Step(random, client);
  }
}

std::string Storm::RandomPath(SimRandom& random) const {
  return fmt::format("{}/n{}", directories_[random.Below(directories_.size())], random.Below(kNamesPerDirectory));
}

bool Storm::Done(const std::string& what, const Result<void>& result) {
  cluster_.world().Trace(fmt::format("op: {}: {}", what, result ? "OK" : result.error().ToString()));
  if (!result && !IsWeather(result.error().code())) Fail(what + ": " + result.error().ToString());
  return result.has_value();
}

Task<void> Storm::Step(SimRandom& random, PosixCalls& client) {
  const std::string path = RandomPath(random);
  const std::uint64_t drawn = random.Below(100);
  if (drawn < 25) {
    Task<void> creating = Create(client, path);
    co_await std::move(creating);
  } else if (drawn < 45) {
    const std::string to = RandomPath(random);
    const Result<void> linked = co_await client.Link(path, to);
    if (Done(fmt::format("{}: link {} to {}", client.client(), path, to), linked)) ++names_;
  } else if (drawn < 65) {
    const Result<void> removed = co_await client.Unlink(path);
    if (Done(client.client() + ": unlink " + path, removed)) --names_;
  } else if (drawn < 85) {
    Task<void> renaming = Rename(random, client, path);
    co_await std::move(renaming);
  } else if (drawn < 90) {
    const Result<void> made = co_await client.Mkdir(path);
    if (Done(client.client() + ": mkdir " + path, made)) ++names_;
  } else if (drawn < 96) {
    const Result<void> removed = co_await client.Rmdir(path);
    if (Done(client.client() + ": rmdir " + path, removed)) --names_;
  } else {
    Task<void> swapping = SwapDirectories(random, client);
    co_await std::move(swapping);
  }
}

Task<void> Storm::Create(PosixCalls& client, std::string path) {
  const std::string what = client.client() + ": create " + path;
  const Result<Fd> fd = co_await client.Open(path, O_RDWR | O_CREAT | O_EXCL);
  Result<void> made;
  if (!fd) made = fd.error();
  if (!Done(what, made)) co_return;
  ++names_;
  const Result<void> written = co_await client.Pwrite(*fd, 0, std::string(kContent));
  if (!MayBeLost(written)) Expect(what + ", write", written);
  const Result<void> closed = co_await client.Close(*fd);
  if (!MayBeLost(closed)) Expect(what + ", close", closed);
}

/// A client that was not heard of for longer than a session lives loses what it has written and not brought to the
/// servers.
bool Storm::MayBeLost(const Result<void>& done) const {
  return may_lapse_ && !done && done.error().code() == ErrorCode::kIo;
}

Task<void> Storm::Rename(SimRandom& random, PosixCalls& client, std::string path) {
  const std::string to = RandomPath(random);
  const std::uint32_t flags = random.Chance(1, 3) ? kExchange : replaces_ && random.Chance(1, 2) ? 0 : kNoReplace;
  const Result<void> renamed = co_await client.Rename(path, to, flags);
  const bool done = Done(fmt::format("{}: rename {} to {}, flags {}", client.client(), path, to, flags), renamed);
  if (done && flags == 0) ++maybe_replaced_;
}

/// Everybody's paths lead elsewhere, while they are walked.
Task<void> Storm::SwapDirectories(SimRandom& random, PosixCalls& client) {
  const std::string from = directories_[random.Below(directories_.size())];
  const std::string to = directories_[random.Below(directories_.size())];
  const Result<void> renamed = co_await client.Rename(from, to, kExchange);
  Done(fmt::format("{}: exchange {} and {}", client.client(), from, to), renamed);
}

Task<void> Storm::Look(PosixCalls& client, Seen& seen) {
  for (const std::string& directory : directories_) {
    const Result<std::vector<DirectoryItem>> items = co_await client.List(directory);
    if (!Expect(client.client() + ": list " + directory, items)) co_return;
    for (const DirectoryItem& item : *items) {
      ++seen.names;
      if (S_ISDIR(item.type_mode)) continue;
      ++seen.files[item.ino];
      seen.paths[item.ino] = directory + "/" + item.name;
    }
  }
}

Task<void> Storm::CheckFiles(PosixCalls& client, const Seen& seen) {
  for (const auto& [ino, path] : seen.paths) {
    const std::string what = client.client() + ": at the end, " + path;
    const Result<FileAttr> attr = co_await client.Stat(path);
    if (!Expect(what, attr)) co_return;
    if (attr->ino != ino || attr->nlink != seen.files.at(ino)) {
      Fail(fmt::format("{} is inode {} with nlink {}; listed were inode {} and {} names", what, attr->ino.value(),
                       attr->nlink, ino.value(), seen.files.at(ino)));
    }
    const Result<std::string> content = co_await client.ReadFile(path);
    const bool is_lost = may_lapse_ && content && content->empty();
    if (Expect(what, content) && *content != kContent && !is_lost) Fail(what + " has not what its maker wrote");
  }
}

Task<void> Storm::Verify() {
  for (const auto& client : clients_) {
    Seen seen;
    Task<void> looking = Look(*client, seen);
    co_await std::move(looking);
    if (seen.names > names_ || seen.names < names_ - maybe_replaced_) {
      Fail(
          fmt::format("{}: at the end there are {} names; by what was answered there are {}, of which up to {} were "
                      "replaced",
                      client->client(), seen.names, names_, maybe_replaced_));
    }
    Task<void> checking = CheckFiles(*client, seen);
    co_await std::move(checking);
  }
}

Task<void> Storm::SyncAll() {
  Seen seen;
  Task<void> looking = Look(*clients_.front(), seen);
  co_await std::move(looking);
  for (const auto& [ino, path] : seen.paths) {
    Task<void> syncing = SyncFile(*clients_.back(), path);
    co_await std::move(syncing);
  }
  co_await SyncDirectory(*clients_.front(), kBase);
}

Task<void> Storm::Remove() {
  PosixCalls& client = *clients_.back();
  for (const std::string& directory : directories_) {
    Task<void> removing = RemoveDirectory(client, directory);
    co_await std::move(removing);
  }
  const Result<void> removed = co_await client.Rmdir(kBase);
  Expect("removing the directory", removed);
}

}  // namespace gabion
