#include <fmt/format.h>

#include <utility>

#include "chunkserver/server.h"
#include "common/base/log.h"
#include "common/coro/task_group.h"
#include "common/daemon/daemon.h"
#include "common/daemon/data_directory.h"
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

/// One --data directory.
struct Seat {
  std::unique_ptr<DataDirectory> directory;
  std::unique_ptr<BlockingPool> pool;
  std::unique_ptr<Disk> disk;
  std::unique_ptr<RocksKv> index;
};

Result<Seat> OpenSeat(const std::string& path) {
  Seat seat;
  TRY_ASSIGN(DataDirectory directory, DataDirectory::Open(path));
  seat.directory = std::make_unique<DataDirectory>(std::move(directory));
  TRY_ASSIGN(const std::string slabs, seat.directory->Subdirectory("slabs"));
  TRY_ASSIGN(const std::string index, seat.directory->Subdirectory("index"));
  seat.pool = std::make_unique<BlockingPool>(kThreadsPerDisk);
  TRY_ASSIGN(seat.disk, OpenRealDisk(slabs, *seat.pool));
  TRY_ASSIGN(seat.index, RocksKv::Open(index, RocksKvOptions()));
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
    set.AddNumber("slab-bytes", "Size of new slab files, a multiple of 1 MiB (default 1 GiB)", kMinSlabBytes,
                  kMaxSlabBytes, &server_options_.slab_bytes);
  }

  Result<void> Open(const DaemonOptions& options) override {
    TRY(CheckOptions(options));
    server_options_.listen = options.listen;
    server_options_.scrub_interval = std::chrono::seconds(scrub_interval_s_);
    if (server_options_.host.empty()) server_options_.host = HostName();
    TRY_ASSIGN(server_options_.host_id, ReadBootId());
    TRY(OpenSeats());
    const DataDirectory& first = *seats_.front().directory;
    TRY_ASSIGN(server_options_.server_uuid, LoadServerUuid(first));
    TRY_ASSIGN(const std::optional<std::string> cluster_id, first.ReadLine(kClusterIdFile));
    server_options_.cluster_id = cluster_id.value_or("");
    return {};
  }

  Task<Result<void>> Start(std::vector<Env*> loops) override {
    Env& env = *loops.front();
    std::vector<DiskSeat> seats;
    for (const Seat& seat : seats_) seats.push_back({seat.directory->path(), *seat.disk, *seat.index});
    LogInfo("chunkserver {} starts; its metaserver is {}", server_options_.server_uuid,
            server_options_.metaserver.ToString());
    server_ = std::make_unique<ChunkServer>(std::move(loops), std::move(seats), server_options_);
    Result<void> started = co_await server_->Start();
    CO_TRY(started);
    if (server_options_.cluster_id.empty()) tasks_.Spawn(env.executor, KeepClusterId(env));
    co_return Result<void>();
  }

  Endpoint endpoint() const override { return server_->endpoint(); }

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
      Result<Seat> seat = OpenSeat(path);
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
  ChunkServerOptions server_options_ = DefaultOptions();
  std::vector<Seat> seats_;
  std::unique_ptr<ChunkServer> server_;
  TaskGroup tasks_;
  bool stopping_ = false;  // the first loop's
};

}  // namespace
}  // namespace gabion

int main(int argc, char** argv) {
  return gabion::RunDaemon(argc, argv, std::make_unique<gabion::ChunkServerDaemon>());
}
