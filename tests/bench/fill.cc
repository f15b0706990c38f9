// Fills a volume with files as fast as the servers take them, without a mount: to see what millions of files and chunks
// cost in memory (docs/operations.md, "Memory"). Not a test. From the release build:
//
//     build/release/tests/fill METASERVER VOLUME FILES CHUNKS
//
// FILES files in directories of 1,000, the first CHUNKS of them with a block of data.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "common/base/byte_units.h"
#include "common/base/check.h"
#include "common/coro/task_group.h"
#include "common/env/real/event_loop.h"
#include "common/env/real/host.h"
#include "fs-client/client.h"

namespace gabion {
namespace {

constexpr std::uint64_t kFilesPerDirectory = 1000;
constexpr std::uint64_t kReportEvery = 100'000;
constexpr int kAtOnce = 128;

const Caller kRoot{0, 0, 1};

class Filler {
 public:
  Filler(Client& client, std::uint64_t files, std::uint64_t chunks)
      : client_(client), files_(files), chunks_(chunks), block_(kBlockBytes, std::byte{'x'}) {}

  Task<void> Run(Env& env) {
    TaskGroup workers;
    for (int i = 0; i < kAtOnce; ++i) workers.Spawn(env.executor, Work());
    co_await workers.Join();
  }

 private:
  /// A directory at a time.
  Task<void> Work() {
    Vfs& vfs = client_.vfs();
    for (std::uint64_t first = next_; first < files_; first = next_) {
      next_ += kFilesPerDirectory;
      Result<Entry> directory =
          co_await vfs.Mkdir(kRoot, kRootIno, fmt::format("d{}", first / kFilesPerDirectory), S_IFDIR | 0755);
      Require(directory);
      for (std::uint64_t file = first; file < std::min(files_, first + kFilesPerDirectory); ++file) {
        co_await MakeFile(vfs, directory->attr.ino, file);
        if (++made_ % kReportEvery == 0) {
          fmt::print("{} files\n", made_);
          std::fflush(stdout);
        }
      }
    }
  }

  Task<void> MakeFile(Vfs& vfs, Ino directory, std::uint64_t file) {
    std::string name = fmt::format("file{}", file);
    if (file >= chunks_) {
      Result<Entry> made = co_await vfs.Mknod(kRoot, directory, std::move(name), S_IFREG | 0644, 0);
      Require(made);
      co_return;
    }
    Result<CreatedFile> created = co_await vfs.Create(kRoot, directory, std::move(name), S_IFREG | 0644, O_WRONLY);
    Require(created);
    const Ino ino = created->entry.attr.ino;
    const HandleId handle = created->file.handle;
    Result<void> written = co_await vfs.Write(kRoot, ino, handle, 0, block_, false);
    Require(written);
    written = co_await vfs.Flush(kRoot, ino, handle, 0);
    Require(written);
    co_await vfs.Release(ino, handle);
  }

  template <typename T>
  static void Require(const Result<T>& result) {
    if (result) return;
    fmt::print(stderr, "fill: {}\n", result.error().ToString());
    std::_Exit(1);
  }

  Client& client_;
  const std::uint64_t files_;
  const std::uint64_t chunks_;
  const std::vector<std::byte> block_;
  std::uint64_t next_ = 0;
  std::uint64_t made_ = 0;
};

Task<void> Fill(Client& client, Env& env, std::uint64_t files, std::uint64_t chunks) {
  Result<void> started = co_await client.Start();
  if (!started) {
    fmt::print(stderr, "fill: {}\n", started.error().message());
    std::_Exit(1);
  }
  Filler filler(client, files, chunks);
  co_await filler.Run(env);
  co_await client.Stop();
}

int Main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: fill METASERVER VOLUME FILES CHUNKS\n");
    return 2;
  }
  const Result<Endpoint> metaserver = Endpoint::Parse(argv[1], 9470);
  const Result<std::string> boot_id = ReadBootId();
  CHECK(metaserver.has_value() && boot_id.has_value());
  ClientOptions options;
  options.metaservers.push_back(*metaserver);
  options.volume = argv[2];
  options.host_id = *boot_id;
  options.host_name = HostName();
  options.mountpoint = "fill";
  EventLoops loops(1, false, Duration(0));
  loops.Start();
  Client client(loops.envs(), options);
  loops.RunAndWait(
      Fill(client, *loops.envs().front(), std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10)));
  loops.Stop();
  return 0;
}

}  // namespace
}  // namespace gabion

int main(int argc, char** argv) {
  return gabion::Main(argc, argv);
}
