// Names, counts and chunks, damaged on purpose: a check finds exactly that, a repair puts it right, another check finds
// nothing.
#include "metaserver/check/checks.h"

#include <fcntl.h>

#include "metaserver/check/repair.h"
#include "tests/unit/metaserver/check/check_bench.h"

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// A small tree with something of everything.
class ChecksTest : public testing::Test {
 protected:
  explicit ChecksTest(CheckLimits limits = {}) : bench_(limits) {
    bench_.meta().kv().contents().options().snapshot_page_records = 3;
    directory_ = client_.Directory(kRootIno, "d");
    below_ = client_.Directory(directory_, "below");
    file_ = client_.File(directory_, "file");
    linked_ = client_.File(kRootIno, "linked");
    CHECK(client_.Link(linked_, directory_, "other").has_value());
    large_ = client_.File(below_, "large");
    for (std::uint64_t index = 0; index < 5; ++index) bench_.WriteChunk(client_, large_, index);
    CHECK(client_.SetXattr(file_, "user.a", "value").has_value());
    nameless_ = client_.File(kRootIno, "removed");
    CHECK(client_.Open(nameless_, client_.NextHandle(), O_RDONLY).has_value());
    CHECK(client_.Unlink(kRootIno, "removed").has_value());
  }

  std::string Name(const char* kind, Ino ino) { return std::string(kind) + " " + std::to_string(ino.value()); }
  /// All that was found can be repaired, and is.
  void ExpectRepairHelps() {
    const proto::CheckStatusReply repaired = bench_.Repair();
    for (const proto::CheckFault& fault : repaired.faults())
      EXPECT_EQ(fault.repair(), proto::CHECK_REPAIR_DONE) << proto::CheckFaultKind_Name(fault.kind());
    bench_.meta().RunDuties();
    EXPECT_THAT(Kinds(bench_.Check()), IsEmpty());
    bench_.meta().ExpectConsistent();
  }

  CheckBench bench_;
  MetaClient client_{bench_.meta()};
  Ino directory_, below_, file_, linked_, large_, nameless_;
};

TEST_F(ChecksTest, WholeVolumeHasNoFaults) {
  const proto::CheckStatusReply status = bench_.Check();
  EXPECT_THAT(Kinds(status), IsEmpty());
  EXPECT_EQ(status.inodes(), 7u);
  EXPECT_EQ(status.names(), 6u);
  EXPECT_EQ(status.chunks(), 5u);
  EXPECT_EQ(status.unwritten_chunks(), 3u) << "small files have a chunk from the start";
  EXPECT_THAT(status.unchecked(), IsEmpty());
  EXPECT_THAT(Kinds(bench_.Check("home")), IsEmpty());
}

TEST_F(ChecksTest, WrongLinkCounts) {
  bench_.EditInode(file_, [](records::Inode& inode) { inode.set_nlink(3); });
  bench_.EditInode(linked_, [](records::Inode& inode) { inode.set_nlink(1); });
  bench_.EditInode(directory_, [](records::Inode& inode) { inode.set_nlink(9); });
  const proto::CheckStatusReply status = bench_.Check();
  EXPECT_THAT(Kinds(status), UnorderedElementsAre(Name("LINK_COUNT", file_), Name("LINK_COUNT", linked_),
                                                  Name("LINK_COUNT", directory_)));
  for (const proto::CheckFault& fault : status.faults()) {
    if (Ino(fault.ino()) != file_) continue;
    EXPECT_EQ(fault.recorded(), 3u);
    EXPECT_EQ(fault.found(), 1u);
    EXPECT_EQ(fault.path(), "/d/file");
    EXPECT_EQ(fault.volume(), "home");
  }
  ExpectRepairHelps();
}

TEST_F(ChecksTest, RepairCountsWhatOpsDidMeanwhile) {
  bench_.EditInode(file_, [](records::Inode& inode) { inode.set_nlink(3); });
  bench_.Check();
  ASSERT_TRUE(client_.Link(file_, kRootIno, "another").has_value());
  bench_.Repair();
  EXPECT_EQ(client_.AttrOf(file_).nlink(), 2u);
  bench_.meta().ExpectConsistent();
}

TEST_F(ChecksTest, WrongCountsOfWhatInodesHave) {
  bench_.EditInode(directory_, [](records::Inode& inode) { inode.set_entries(1); });
  bench_.EditInode(large_, [](records::Inode& inode) { inode.set_mapped_chunks(40); });
  bench_.EditInode(file_, [](records::Inode& inode) {
    inode.set_xattrs(2);
    inode.set_xattr_bytes(7);
  });
  EXPECT_THAT(Kinds(bench_.Check()), UnorderedElementsAre(Name("ENTRY_COUNT", directory_), Name("CHUNK_COUNT", large_),
                                                          Name("XATTR_COUNT", file_), Name("XATTR_BYTES", file_)));
  ExpectRepairHelps();
}

TEST_F(ChecksTest, WrongStatistics) {
  bench_.EditStats([](records::VolumeStats& stats) {
    stats.set_inodes(stats.inodes() + 5);
    stats.set_used_bytes(1);
  });
  bench_.Restart();
  ASSERT_TRUE(client_.Resume({}).has_value());
  bench_.meta().RunDuties();
  EXPECT_THAT(Kinds(bench_.Check()), ElementsAre("VOLUME_BYTES 0", "VOLUME_INODES 0"));
  ExpectRepairHelps();
}

TEST_F(ChecksTest, NameThatLeadsNowhere) {
  bench_.PutName(below_, "dangling", Ino(5000), S_IFREG);
  bench_.EditInode(below_, [](records::Inode& inode) { inode.set_entries(2); });
  const proto::CheckStatusReply status = bench_.Check();
  ASSERT_THAT(Kinds(status), ElementsAre("DANGLING_NAME 5000"));
  EXPECT_EQ(status.faults(0).path(), "/d/below/dangling");
  ExpectRepairHelps();
  EXPECT_THAT(client_.Names(below_), ElementsAre("large"));
}

TEST_F(ChecksTest, DanglingDirectoryName) {
  bench_.PutName(below_, "dangling", Ino(5000), S_IFDIR);
  EXPECT_THAT(Kinds(bench_.Check()),
              UnorderedElementsAre("DANGLING_NAME 5000", Name("ENTRY_COUNT", below_), Name("LINK_COUNT", below_)));
  ExpectRepairHelps();
}

TEST_F(ChecksTest, InodesWithoutName) {
  bench_.DeleteName(directory_, "file");
  bench_.DeleteName(directory_, "below");
  bench_.EditInode(directory_, [](records::Inode& inode) {
    inode.set_entries(1);
    inode.set_nlink(2);
  });
  EXPECT_THAT(Kinds(bench_.Check()), UnorderedElementsAre(Name("LOST_INODE", file_), Name("LOST_INODE", below_)));
  ExpectRepairHelps();
  const Result<proto::LookupReply> found = client_.Lookup(kRootIno, LostName(below_));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(Ino(found->attr().ino()), below_);
  EXPECT_THAT(client_.Names(below_), ElementsAre("large"));
}

TEST_F(ChecksTest, RemovedFileThatIsNoOrphan) {
  bench_.DeleteOrphan(nameless_);
  EXPECT_THAT(Kinds(bench_.Check()), ElementsAre(Name("LOST_INODE", nameless_)));
  ExpectRepairHelps();
}

TEST_F(ChecksTest, NamesOfAnotherType) {
  bench_.PutName(directory_, "file", file_, S_IFLNK);
  EXPECT_THAT(Kinds(bench_.Check()), ElementsAre(Name("NAME_TYPE", file_)));
  ExpectRepairHelps();
}

TEST_F(ChecksTest, DirectoryThatThinksItIsElsewhere) {
  bench_.EditInode(below_, [](records::Inode& inode) { inode.set_parent(kRootIno.value()); });
  EXPECT_THAT(Kinds(bench_.Check()), ElementsAre(Name("PARENT", below_)));
  ExpectRepairHelps();
}

TEST_F(ChecksTest, DirectoryWithTwoNamesIsLeftToPeople) {
  bench_.PutName(kRootIno, "again", below_, S_IFDIR);
  bench_.EditInode(kRootIno, [](records::Inode& inode) {
    inode.set_entries(3);
    inode.set_nlink(4);
  });
  ASSERT_THAT(Kinds(bench_.Check()), ElementsAre(Name("DIRECTORY_NAMES", below_)));
  EXPECT_EQ(bench_.Repair().faults(0).repair(), proto::CHECK_REPAIR_IMPOSSIBLE);
}

TEST_F(ChecksTest, RecordsOfNoInode) {
  bench_.DeleteInode(large_);
  bench_.DeleteName(below_, "large");
  bench_.EditInode(below_, [](records::Inode& inode) { inode.set_entries(0); });
  bench_.EditStats([](records::VolumeStats& stats) {
    stats.set_inodes(stats.inodes() - 1);
    stats.set_used_bytes(0);
  });
  bench_.Restart();
  ASSERT_TRUE(client_.Resume({}).has_value());
  bench_.meta().RunDuties();
  const proto::CheckStatusReply status = bench_.Check();
  // Its first chunk was in the inode's record.
  ASSERT_EQ(status.faults_size(), 2);
  EXPECT_EQ(status.faults(0).kind(), proto::CHECK_FAULT_STRAY_RECORDS);
  EXPECT_EQ(status.faults(0).found(), 4u);
  EXPECT_EQ(status.faults(1).kind(), proto::CHECK_FAULT_ORPHAN_CHUNK);
  ExpectRepairHelps();
  EXPECT_EQ(bench_.meta().Garbage().size(), 3u * 6) << "its five chunks, and that of the file without a name";
}

TEST_F(ChecksTest, OneAtATimeAndItCanBeCancelled) {
  bench_.Start();
  EXPECT_EQ(CodeOf(bench_.checks().Start({})), ErrorCode::kBusy);
  EXPECT_EQ(CodeOf(bench_.checks().Repair({})), ErrorCode::kBusy);
  ASSERT_TRUE(bench_.checks().Cancel({}).has_value());
  while (bench_.IsBusy()) bench_.meta().world().RunFor(std::chrono::milliseconds(1));
  EXPECT_EQ(bench_.Status().state(), proto::CHECK_STATE_CANCELLED);
  EXPECT_EQ(CodeOf(bench_.checks().Repair({})), ErrorCode::kBusy);
  EXPECT_THAT(Kinds(bench_.Check()), IsEmpty());
  proto::CheckStartRequest unknown;
  unknown.set_volume("nowhere");
  EXPECT_EQ(CodeOf(bench_.checks().Start(unknown)), ErrorCode::kNotFound);
}

TEST_F(ChecksTest, EventsTellTheResult) {
  bench_.EditInode(file_, [](records::Inode& inode) { inode.set_nlink(3); });
  bench_.Check();
  const records::Event event = bench_.meta().cluster().LastEvents(1).front().event;
  EXPECT_EQ(event.kind(), "check-finished");
  EXPECT_THAT(event.text(), HasSubstr("1 fault"));
  EXPECT_TRUE(event.warning());
  bench_.Repair();
  EXPECT_EQ(bench_.meta().cluster().LastEvents(1).front().event.kind(), "check-repaired");
}

/// The same tree, looked at through windows of two inodes and of two chunks.
class SmallWindowsTest : public ChecksTest {
 protected:
  SmallWindowsTest() : ChecksTest({2, 2}) { bench_.chunkservers().max_page_entries = 1; }
};

TEST_F(SmallWindowsTest, FindTheSame) {
  EXPECT_THAT(Kinds(bench_.Check()), IsEmpty());
  bench_.EditInode(large_, [](records::Inode& inode) { inode.set_nlink(3); });
  bench_.PutName(kRootIno, "dangling", Ino(1), S_IFREG);
  bench_.PutName(below_, "dangling", Ino(50'000), S_IFREG);
  bench_.chunkservers().stored[ServerId(2)][ChunkId(1u << 30)] = PgId(1);
  EXPECT_THAT(Kinds(bench_.Check()),
              UnorderedElementsAre(Name("LINK_COUNT", large_), "NAME_TYPE 1", "DIRECTORY_NAMES 1",
                                   Name("ENTRY_COUNT", kRootIno), Name("ENTRY_COUNT", below_), "DANGLING_NAME 50000",
                                   "ORPHAN_CHUNK " + std::to_string(1u << 30)));
}

}  // namespace
}  // namespace gabion
