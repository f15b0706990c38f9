// Checks beside clients that make, write, move and remove files all the while: nothing is ever wrong.
#include <fcntl.h>

#include "common/env/sim/sim_random.h"
#include "tests/unit/metaserver/check/check_bench.h"

namespace gabion {
namespace {

class OpsBesideCheck {
 public:
  explicit OpsBesideCheck(std::uint64_t seed) : random_(seed), bench_({1 + seed % 3, 1 + seed % 2}) {
    bench_.meta().kv().contents().options().snapshot_page_records = 1;
    bench_.chunkservers().max_page_entries = 2;
    for (const char* name : {"x", "y", "z"}) client_.Directory(kRootIno, name);
  }

  void Step() {
    const Ino parent = SomeDirectory(), other = SomeDirectory();
    const std::string name = SomeName(), other_name = SomeName();
    const Ino ino = InoOf(other, other_name);
    switch (random_.Below(12)) {
      case 0:
      case 1:
        (void)client_.MakeFile(parent, name);
        break;
      case 2:
        (void)client_.MakeDirectory(parent, name);
        break;
      case 3:
        (void)client_.Unlink(parent, name);
        break;
      case 4:
        (void)client_.Rmdir(parent, name);
        break;
      case 5:
        (void)client_.Link(ino, parent, name);
        break;
      case 6:
        (void)client_.Rename(parent, name, other, other_name);
        break;
      case 7:
        bench_.WriteChunk(client_, ino, random_.Below(80));
        break;
      case 8:
        (void)client_.Truncate(ino, random_.Below(80) * kChunkBytes);
        break;
      case 9:
        (void)client_.SetXattr(ino, "user." + name, std::string(random_.Below(9), 'x'));
        break;
      case 10:
        Open(ino);
        break;
      default:
        DeleteGarbage();
    }
  }

  /// One check after another, while so many ops are done.
  void ExpectChecksFindNothing(int ops) {
    int checks = 0;
    for (int steps = 0; steps < ops && !testing::Test::HasFailure(); ++checks) {
      bench_.Start();
      for (; bench_.IsBusy(); ++steps) Step();
      const proto::CheckStatusReply status = bench_.Await();
      EXPECT_THAT(Kinds(status), testing::IsEmpty());
      EXPECT_EQ(status.unchecked_size(), 0);
    }
    EXPECT_LT(checks, ops / 3) << "checks are over before anything happens";
  }

  void RunDuties() { bench_.meta().RunDuties(); }

 private:
  Ino InoOf(Ino parent, const std::string& name) {
    const Result<proto::LookupReply> found = client_.Lookup(parent, name);
    return found ? Ino(found->attr().ino()) : Ino(999'999);
  }
  std::string SomeName() { return std::string(1, static_cast<char>('a' + random_.Below(6))); }
  Ino SomeDirectory() {
    Ino directory = InoOf(kRootIno, std::string(1, static_cast<char>('x' + random_.Below(3))));
    if (random_.Chance(1, 2)) {
      const Result<proto::LookupReply> below = client_.Lookup(directory, SomeName());
      if (below && S_ISDIR(below->attr().mode())) directory = Ino(below->attr().ino());
    }
    return directory;
  }
  void Open(Ino ino) {
    const std::uint64_t handle = client_.NextHandle();
    if (client_.Open(ino, handle, O_RDONLY) && random_.Chance(3, 4)) (void)client_.Release({handle});
  }
  /// As a chunkserver with its heartbeats.
  void DeleteGarbage() {
    const auto server = static_cast<std::uint32_t>(1 + random_.Below(3));
    const Result<proto::HeartbeatReply> asked = bench_.meta().Heartbeat(server, server);
    ASSERT_TRUE(asked.has_value());
    std::vector<std::uint64_t> deleted(asked->delete_chunks().begin(), asked->delete_chunks().end());
    for (std::uint64_t chunk : deleted) bench_.chunkservers().stored[ServerId(server)].erase(ChunkId(chunk));
    ASSERT_TRUE(bench_.meta().Heartbeat(server, server, deleted).has_value());
  }

  SimRandom random_;
  CheckBench bench_;
  MetaClient client_{bench_.meta()};
};

TEST(CheckBesideOpsTest, FindsNothing) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    OpsBesideCheck ops(seed);
    for (int i = 0; i < 150; ++i) ops.Step();
    for (int round = 0; round < 2; ++round) {
      ops.ExpectChecksFindNothing(200);
      ops.RunDuties();
    }
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace gabion
