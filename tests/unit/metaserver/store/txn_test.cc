#include "metaserver/store/txn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/env/sim/sim_world.h"

namespace gabion {
namespace {

using testing::ElementsAre;

class TxnTest : public testing::Test {
 protected:
  static constexpr VolumeId kVolume{1};

  void Apply(Txn& txn) { ASSERT_TRUE(kv().Apply(txn.TakeBatch()).has_value()); }
  MemoryKv& kv() { return machine_.kv("store"); }
  static records::Dentry DentryOf(std::uint64_t ino) {
    records::Dentry dentry;
    dentry.set_ino(ino);
    return dentry;
  }
  std::vector<std::string> Names(Txn& txn, std::string_view after = "", std::size_t max_entries = 100) {
    std::vector<std::string> names;
    Result<void> scanned =
        txn.ScanDentries(kRootIno, after, max_entries, [&](std::string_view name, const records::Dentry&) {
          names.emplace_back(name);
          return names.size() < max_entries;
        });
    EXPECT_TRUE(scanned.has_value());
    return names;
  }

  SimWorld world_{1};
  SimMachine& machine_ = world_.AddMachine("machine");
};

TEST_F(TxnTest, SeesItsOwnChangesAndAppliesThemAtOnce) {
  Txn txn(kv(), kVolume);
  EXPECT_FALSE(txn.FindInode(Ino(5))->has_value());
  records::Inode inode;
  inode.set_size(1);
  txn.PutInode(Ino(5), inode);
  EXPECT_EQ((*txn.FindInode(Ino(5)))->size(), 1u);
  EXPECT_FALSE(Txn(kv(), kVolume).FindInode(Ino(5))->has_value()) << "seen before it was applied";
  Apply(txn);
  EXPECT_TRUE(txn.empty());
  EXPECT_TRUE(Txn(kv(), kVolume).FindInode(Ino(5))->has_value());

  Txn deleting(kv(), kVolume);
  deleting.DeleteInode(Ino(5));
  EXPECT_FALSE(deleting.FindInode(Ino(5))->has_value());
}

TEST_F(TxnTest, TheLastChangeOfAKeyCounts) {
  Txn txn(kv(), kVolume);
  txn.PutDentry(kRootIno, "a", DentryOf(1));
  txn.DeleteDentry(kRootIno, "a");
  txn.DeleteDentry(kRootIno, "b");
  txn.PutDentry(kRootIno, "b", DentryOf(2));
  Apply(txn);
  Txn after(kv(), kVolume);
  EXPECT_THAT(Names(after), ElementsAre("b"));
}

TEST_F(TxnTest, ScansMergeStoreAndChanges) {
  Txn stored(kv(), kVolume);
  for (const char* name : {"b", "d", "f", "h"}) stored.PutDentry(kRootIno, name, DentryOf(1));
  stored.PutDentry(Ino(2), "other directory", DentryOf(1));
  Apply(stored);
  Txn txn(kv(), kVolume);
  txn.PutDentry(kRootIno, "a", DentryOf(2));
  txn.PutDentry(kRootIno, "d", DentryOf(2));
  txn.DeleteDentry(kRootIno, "f");
  txn.PutDentry(kRootIno, "z", DentryOf(2));
  EXPECT_THAT(Names(txn), ElementsAre("a", "b", "d", "h", "z"));
  EXPECT_THAT(Names(txn, "b"), ElementsAre("d", "h", "z"));
  EXPECT_THAT(Names(txn, "", 3), ElementsAre("a", "b", "d"));
  EXPECT_THAT(Names(txn, "z"), ElementsAre());
}

TEST_F(TxnTest, NotesWhatItHasToWaitFor) {
  Txn stored(kv(), kVolume);
  stored.PutInode(Ino(5), records::Inode());
  stored.PutXattr(Ino(5), "user.a", records::Xattr());
  Apply(stored);
  kv().contents().options().cold = true;
  kv().contents().Cool();
  Txn txn(kv(), kVolume);
  EXPECT_EQ(txn.FindInode(Ino(5)).error().code(), ErrorCode::kWouldBlock);
  EXPECT_EQ(txn.ListXattrs(Ino(5), 4).error().code(), ErrorCode::kWouldBlock);
  ASSERT_EQ(txn.misses().size(), 2u);
  EXPECT_EQ(txn.misses()[0].first, InodeKey(kVolume, Ino(5)));
  EXPECT_FALSE(txn.misses()[0].last.has_value());
  EXPECT_EQ(txn.misses()[1].first, XattrPrefix(kVolume, Ino(5)));
  EXPECT_EQ(txn.misses()[1].max_entries, 4u);
}

TEST_F(TxnTest, RefusesABrokenRecord) {
  WriteBatch batch;
  batch.Put(InodeKey(kVolume, Ino(5)), "\x01\xff");
  batch.Put(InodeKey(kVolume, Ino(6)), "\x09");
  ASSERT_TRUE(kv().Apply(batch).has_value());
  Txn txn(kv(), kVolume);
  EXPECT_EQ(txn.FindInode(Ino(5)).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(txn.FindInode(Ino(6)).error().code(), ErrorCode::kVersionMismatch);
}

TEST_F(TxnTest, ListsChunksOfARange) {
  Txn txn(kv(), kVolume);
  for (std::uint64_t index : {1, 2, 5, 9}) {
    records::Chunk chunk;
    chunk.set_chunk_id(100 + index);
    txn.PutChunk(Ino(5), index, chunk);
  }
  auto indexes = [&](std::uint64_t first, std::uint64_t end, std::size_t max) {
    std::vector<std::uint64_t> found;
    const std::vector<Txn::MappedChunk> chunks = *txn.ListChunks(Ino(5), first, end, max);
    for (const Txn::MappedChunk& mapped : chunks) {
      EXPECT_EQ(mapped.chunk.chunk_id(), 100 + mapped.index);
      found.push_back(mapped.index);
    }
    return found;
  };
  EXPECT_THAT(indexes(0, 0, 100), ElementsAre(1, 2, 5, 9));
  EXPECT_THAT(indexes(2, 9, 100), ElementsAre(2, 5));
  EXPECT_THAT(indexes(0, 0, 2), ElementsAre(1, 2));
  EXPECT_THAT(indexes(0, 0, 0), ElementsAre());
}

}  // namespace
}  // namespace gabion
