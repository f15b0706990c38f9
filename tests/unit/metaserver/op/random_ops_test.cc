// Many ops in random order, cut by kills and power losses: whatever came of each, the records agree with one another.
#include <fcntl.h>

#include "common/env/sim/sim_random.h"
#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

/// A few names in a few directories, so that ops meet.
class RandomOps {
 public:
  explicit RandomOps(std::uint64_t seed) : random_(seed) {
    for (const char* name : {"x", "y", "z"}) client_.Directory(kRootIno, name);
  }

  void Step() {
    const Ino parent = SomeDirectory(), other = SomeDirectory();
    const std::string name = SomeName(), other_name = SomeName();
    const Ino ino = InoOf(other, other_name);
    switch (random_.Below(13)) {
      case 0:
        (void)client_.MakeFile(parent, name);
        break;
      case 1:
        (void)client_.MakeDirectory(parent, name);
        break;
      case 2:
        (void)client_.Unlink(parent, name);
        break;
      case 3:
        (void)client_.Rmdir(parent, name);
        break;
      case 4:
        (void)client_.Link(ino, parent, name);
        break;
      case 5:
      case 6:
        (void)client_.Rename(parent, name, other, other_name);
        break;
      case 7:
        (void)client_.Rename(parent, name, other, other_name, kRoot, MetaClient::RenameFlag::kExchange);
        break;
      case 8:
        (void)client_.Allocate(ino, random_.Below(200), static_cast<int>(1 + random_.Below(64)));
        break;
      case 9:
        (void)client_.Truncate(ino, random_.Below(200) * kChunkBytes);
        break;
      case 10:
        (void)client_.SetXattr(ino, "user." + name, std::string(random_.Below(9), 'x'));
        break;
      case 11:
        Open(ino);
        break;
      default:
        CloseOne();
    }
  }

  void Interrupt() {
    if (random_.Chance(1, 2)) {
      bench_.Restart();
    } else {
      bench_.LosePower();
    }
    ASSERT_TRUE(client_.Resume(handles_).has_value());
    if (random_.Chance(1, 2)) bench_.RunDuties();
    bench_.ExpectConsistent();
  }

  /// In the end everything is removed, and nothing may be left of it.
  void RemoveEverything() {
    std::vector<std::uint64_t> open;
    for (const auto& [handle, ino] : handles_) open.push_back(handle);
    ASSERT_TRUE(client_.Release(open).has_value());
    Empty(kRootIno);
    bench_.RunDuties();
    bench_.ExpectConsistent();
    EXPECT_EQ(bench_.CountRecords(Table::kInode), 1u);
    for (Table table : {Table::kDentry, Table::kXattr, Table::kChunk, Table::kOrphan, Table::kReclaim})
      EXPECT_EQ(bench_.CountRecords(table), 0u) << "table " << static_cast<int>(table);
  }

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
    if (client_.Open(ino, handle, O_RDONLY)) handles_.emplace_back(handle, ino);
  }
  void CloseOne() {
    if (handles_.empty()) return;
    const auto which = handles_.begin() + static_cast<std::ptrdiff_t>(random_.Below(handles_.size()));
    ASSERT_TRUE(client_.Release({which->first}).has_value());
    handles_.erase(which);
  }
  void Empty(Ino directory) {
    const std::vector<std::string> names = client_.Names(directory);
    for (const std::string& name : names) {
      if (client_.Unlink(directory, name)) continue;
      Empty(InoOf(directory, name));
      ASSERT_TRUE(client_.Rmdir(directory, name).has_value());
    }
  }

  SimRandom random_;
  MetaBench bench_;
  MetaClient client_{bench_};
  std::vector<std::pair<std::uint64_t, Ino>> handles_;
};

TEST(RandomOpsTest, RecordsAgreeWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomOps ops(seed);
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 150; ++i) ops.Step();
      ops.Interrupt();
    }
    ops.RemoveEverything();
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace gabion
