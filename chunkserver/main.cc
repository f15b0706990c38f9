#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <utility>

#include "chunkserver/server.h"
#include "common/base/log.h"
#include "common/coro/task_group.h"
#include "common/daemon/daemon.h"
#include "common/daemon/data_directory.h"
#include "common/env/real/allocator.h"
#include "common/env/real/blocking_pool.h"
#include "common/env/real/host.h"
#include "common/env/real/os_random.h"
#include "common/env/real/real_disk.h"
#include "common/env/real/rocksdb_kv.h"

namespace gabion {
namespace {

constexpr std::uint16_t kMetaServerPort = 9470;
/// fsync, hole punching and reads that miss the page cache: enough for a disk to have something to reorder.
constexpr unsigned kThreadsPerDisk = 4;
constexpr std::uint64_t kMinSlabBytes = 16 * kMiB;
constexpr std::uint64_t kMaxScrubIntervalS = 366 * 86'400;
constexpr std::uint64_t kMaxSlabBytes = 64 * 1024 * kMiB;
/// How often to look whether the metaserver has told the cluster's name.
constexpr Duration kClusterIdPoll = std::chrono::milliseconds(500);

constexpr const char* kServerUuidFile = "server_uuid";
constexpr const char* kClusterIdFile = "cluster_id";
constexpr const char* kStartsFile = "starts";
// Written when the cluster does without what was lost here, done at the next start. In the directory that is to be made
// empty:
constexpr const char* kStartAfreshFile = "start_afresh";
// and in the first one: stores that are not there any more do not belong to this server.
constexpr const char* kForgetMissingFile = "forget_missing_stores";
constexpr const char* kSlabs = "slabs";
constexpr const char* kIndex = "index";

/// One --data directory.
struct Seat {
  std::unique_ptr<DataDirectory> directory;
  std::unique_ptr<BlockingPool> pool;
  std::unique_ptr<Disk> disk;
  std::unique_ptr<RocksKv> index;  // null: `damage` says why
  std::optional<Error> damage;
};

/// The marker goes last: a crash in between leaves something that is still to be removed.
Result<void> EmptyIfAsked(const DataDirectory& directory) {
  TRY_ASSIGN(const std::optional<std::string> asked, directory.ReadLine(kStartAfreshFile));
  if (!asked) return {};
  LogWarning("removing the store in {}, which was lost: {}", directory.path(), *asked);
  TRY(directory.Remove(kIndex));
  TRY(directory.Remove(kSlabs));
  return directory.Remove(kStartAfreshFile);
}

Result<Seat> OpenSeat(const std::string& path, const RocksKvOptions& index_options) {
  Seat seat;
  TRY_ASSIGN(DataDirectory directory, DataDirectory::Open(path));
  seat.directory = std::make_unique<DataDirectory>(std::move(directory));
  TRY(EmptyIfAsked(*seat.directory));
  TRY_ASSIGN(const std::string slabs, seat.directory->Subdirectory(kSlabs));
  TRY_ASSIGN(const std::string index, seat.directory->Subdirectory(kIndex));
  seat.pool = std::make_unique<BlockingPool>(kThreadsPerDisk);
  TRY_ASSIGN(seat.disk, OpenRealDisk(slabs, *seat.pool));
  Result<std::unique_ptr<RocksKv>> opened = RocksKv::Open(index, index_options);
  if (opened) {
    seat.index = std::move(*opened);
  } else if (opened.error().code() == ErrorCode::kCorrupt) {
    seat.damage = opened.error();
  } else {
    return opened.error();
  }
  return seat;
}

/// The identity by which the metaserver knows this server again, whatever its address; made at the first start.
Result<std::string> LoadServerUuid(const DataDirectory& directory) {
  TRY_ASSIGN(std::optional<std::string> known, directory.ReadLine(kServerUuidFile));
  if (known) return std::move(*known);
  OsRandom random;
  std::string uuid = fmt::format("{:016x}{:016x}", random.Next(), random.Next());
  TRY(directory.WriteLine(kServerUuidFile, uuid));
  return uuid;
}

/// Counts this start. Beside the uuid, for it must not go back while the uuid stays the same.
Result<std::uint64_t> CountStart(const DataDirectory& directory) {
  TRY_ASSIGN(const std::optional<std::string> known, directory.ReadLine(kStartsFile));
  std::uint64_t starts = 0;
  if (known) {
    const auto [end, error] = std::from_chars(known->data(), known->data() + known->size(), starts);
    if (error != std::errc() || end != known->data() + known->size()) {
      return Error(ErrorCode::kIo, fmt::format("{}/{} is not a number: put it back from a copy, or write one that is "
                                               "larger than the server's number of starts",
                                               directory.path(), kStartsFile));
    }
  }
  ++starts;
  TRY(directory.WriteLine(kStartsFile, std::to_string(starts)));
  return starts;
}

class ChunkServerDaemon final : public Daemon {
 public:
  std::string name() const override { return "gabion-chunkserver"; }
  std::string description() const override { return "gabion-chunkserver: keeps the chunks of a Gabion cluster"; }
  Endpoint default_listen() const override { return {"127.0.0.1", 0}; }

  void AddOptions(OptionSet& set) override {
    set.AddTexts("data", "DIR",
                 "Directory of its own on a disk, made if it is not there; repeat it for more disks; required", &data_);
    set.AddText("metaserver", "HOST:PORT", "Address of the metaserver (default 127.0.0.1:9470)",
                [this](std::string_view text) -> Result<void> {
                  TRY_ASSIGN(server_options_.metaserver, Endpoint::Parse(text, kMetaServerPort));
                  return {};
                });
    set.AddText("host", "NAME", "Servers with the same name fail together (default: this machine's name)",
                &server_options_.host);
    set.AddText("rack", "NAME", "The rack it stands in: copies of a chunk go to different ones while there are enough",
                &server_options_.rack);
    set.AddText("zone", "NAME", "The zone (room, site) it stands in, as for racks", &server_options_.zone);
    set.AddNumber(
        "scrub-interval-s",
        "Seconds in which every copy of every chunk is read and compared once, 0 for never (default 604800: a week)", 0,
        kMaxScrubIntervalS, &scrub_interval_s_);
    set.AddSwitch("give-up-missing-disks",
                  "Disks that this server had and that are not there are gone for good: what they had is copied to the "
                  "others again, once no copy of it is wanted from here",
                  &server_options_.give_up_missing_stores);
    set.AddNumber("cache-bytes", "Memory in which the index of each disk is kept, as far as it fits (default 128 MiB)",
                  kMinCacheBytes, kMaxCacheBytes, &index_options_.block_cache_bytes);
    set.AddNumber("slab-bytes", "Size of new slab files, a multiple of 1 MiB (default 1 GiB)", kMinSlabBytes,
                  kMaxSlabBytes, &server_options_.slab_bytes);
  }

  Result<void> Open(const DaemonOptions& options) override {
    TRY(CheckOptions(options));
    server_options_.listen = options.listen;
    server_options_.scrub_interval = std::chrono::seconds(scrub_interval_s_);
    if (server_options_.host.empty()) server_options_.host = HostName();
    TRY_ASSIGN(server_options_.host_id, ReadBootId());
    index_options_.boot_id = server_options_.host_id;
    TRY(OpenSeats());
    const DataDirectory& first = *seats_.front().directory;
    TRY_ASSIGN(server_options_.server_uuid, LoadServerUuid(first));
    TRY_ASSIGN(server_options_.starts, CountStart(first));
    TRY_ASSIGN(const std::optional<std::string> cluster_id, first.ReadLine(kClusterIdFile));
    server_options_.cluster_id = cluster_id.value_or("");
    TRY_ASSIGN(const std::optional<std::string> forget, first.ReadLine(kForgetMissingFile));
    server_options_.forget_missing_stores = forget.has_value();
    return {};
  }

  Task<Result<void>> Start(std::vector<Env*> loops) override {
    Env& env = *loops.front();
    std::vector<DiskSeat> seats;
    std::vector<LostSeat> lost;
    for (const Seat& seat : seats_) {
      const std::string path = seat.directory->path();
      if (seat.index) {
        seats.push_back({path, *seat.disk, *seat.index});
      } else {
        lost.push_back({path, *seat.damage});
      }
    }
    server_options_.start_afresh = [this, &env](std::vector<std::string> paths) {
      tasks_.Spawn(env.executor, StartAfresh(std::move(paths)));
    };
    LogInfo("chunkserver {} starts; its metaserver is {}", server_options_.server_uuid,
            server_options_.metaserver.ToString());
    server_ = std::make_unique<ChunkServer>(std::move(loops), std::move(seats), server_options_, std::move(lost));
    Result<void> started = co_await server_->Start();
    CO_TRY(started);
    if (server_options_.forget_missing_stores) CO_TRY(seats_.front().directory->Remove(kForgetMissingFile));
    if (server_options_.cluster_id.empty()) tasks_.Spawn(env.executor, KeepClusterId(env));
    co_return Result<void>();
  }

  Endpoint endpoint() const override { return server_->endpoint(); }
  bool begins_again() const override { return begins_again_; }

  Task<void> Stop() override {
    stopping_ = true;
    co_await tasks_.Join();
    co_await server_->Stop();
  }

 private:
  static ChunkServerOptions DefaultOptions() {
    ChunkServerOptions options;
    options.metaserver = {"127.0.0.1", kMetaServerPort};
    return options;
  }

  Result<void> CheckOptions(const DaemonOptions& options) const {
    if (data_.empty()) {
      return {ErrorCode::kInvalidArgument, "it needs a directory for its data: --data DIR, once for each disk"};
    }
    if (server_options_.slab_bytes % kMiB != 0) {
      return {ErrorCode::kInvalidArgument, "--slab-bytes must be a multiple of 1 MiB"};
    }
    if (IsWildcardAddress(options.listen.host)) {
      return {
          ErrorCode::kInvalidArgument,
          fmt::format("--listen {}: name the address at which clients reach this server", options.listen.ToString())};
    }
    return {};
  }

  /// The first directory has the server's identity and must open; another that does not is a lost disk, not a lost
  /// server.
  Result<void> OpenSeats() {
    for (const std::string& path : data_) {
      Result<Seat> seat = OpenSeat(path, index_options_);
      if (seat) {
        seats_.push_back(std::move(*seat));
      } else if (seats_.empty() || seat.error().code() == ErrorCode::kBusy) {
        return seat.error();
      } else {
        LogError("disk {} stays offline: {}; put it right and start this server again", path, seat.error().message());
      }
    }
    return {};
  }

  Result<void> MarkAsLost(const std::vector<std::string>& paths) const {
    TRY(seats_.front().directory->WriteLine(kForgetMissingFile, "as told by the metaserver"));
    for (const Seat& seat : seats_) {
      const std::string& path = seat.directory->path();
      if (std::find(paths.begin(), paths.end(), path) == paths.end()) continue;
      TRY(seat.directory->WriteLine(kStartAfreshFile, "it is copied again from other servers"));
    }
    return {};
  }

  /// The stores are in use until this process ends, so it is the next one that removes them.
  Task<void> StartAfresh(std::vector<std::string> paths) {
    Result<void> marked;
    std::function<void()> job = [this, &marked, &paths] { marked = MarkAsLost(paths); };
    co_await seats_.front().pool->Run(std::move(job));
    if (!marked) {
      LogError("{}; this server cannot begin afresh: put its disk right, and start it again",
               marked.error().ToString());
      co_return;
    }
    begins_again_ = true;
    ::kill(::getpid(), SIGTERM);
  }

  /// A server belongs to the cluster that it first registered with, and refuses any other after that.
  Task<void> KeepClusterId(Env& env) {
    std::string id;
    while (id.empty() && !stopping_) {
      co_await env.clock.SleepFor(kClusterIdPoll);
      id = server_->cluster_id();
    }
    if (id.empty()) co_return;
    Result<void> written;
    std::function<void()> job = [this, &written, &id] {
      written = seats_.front().directory->WriteLine(kClusterIdFile, id);
    };
    co_await seats_.front().pool->Run(std::move(job));
    if (!written) LogError("{}; this server does not know its cluster after a restart", written.error().message());
  }

  std::vector<std::string> data_;
  std::uint64_t scrub_interval_s_ = 7 * 86'400;
  RocksKvOptions index_options_;
  ChunkServerOptions server_options_ = DefaultOptions();
  std::vector<Seat> seats_;
  std::unique_ptr<ChunkServer> server_;
  TaskGroup tasks_;
  bool stopping_ = false;  // the first loop's
  std::atomic<bool> begins_again_ = false;
};

}  // namespace
}  // namespace gabion

int main(int argc, char** argv) {
  gabion::KeepFreedMemory();
  return gabion::RunDaemon(argc, argv, std::make_unique<gabion::ChunkServerDaemon>());
}
