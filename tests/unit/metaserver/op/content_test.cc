// Sizes, chunks, trims, open files and what is left when files go.
#include <fcntl.h>

#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

using testing::ElementsAre;

class ContentTest : public testing::Test {
 protected:
  ~ContentTest() override { bench_.ExpectConsistent(); }

  /// Trims what a cut left, as a client does before the file grows.
  Result<proto::FinishTrimReply> FinishTrim(Ino ino, std::uint64_t generation, const Caller& who = kRoot) {
    proto::FinishTrimRequest request;
    request.set_ino(ino.value());
    request.set_generation(generation);
    return client_.Call<OpKind::kRepeatable>(&op::FinishTrim, request, who);
  }
  /// A file of so many chunks, all mapped.
  Ino LargeFile(const std::string& name, int chunks) {
    const Ino file = client_.File(kRootIno, name);
    for (int first = 1; first < chunks; first += 64)
      EXPECT_TRUE(client_.Allocate(file, static_cast<std::uint64_t>(first), std::min(64, chunks - first)).has_value());
    EXPECT_TRUE(client_.CommitWrite(file, static_cast<std::uint64_t>(chunks) * kChunkBytes).has_value());
    return file;
  }

  MetaBench bench_;
  MetaClient client_{bench_};
};

TEST_F(ContentTest, ACommitMarksTheChunksThatItTellsOf) {
  const Ino file = LargeFile("a", 4);
  const std::vector<std::uint64_t> ids = client_.Chunks(file, 0, 4);
  proto::CommitWriteRequest request;
  request.set_ino(file.value());
  const auto tell = [&](std::uint64_t index, std::uint64_t chunk_id) {
    proto::WrittenChunk* written = request.add_written();
    written->set_index(index);
    written->set_chunk_id(chunk_id);
  };
  tell(0, ids[0]);
  tell(2, ids[2]);
  tell(3, ids[1]);  // of another place: it was there before a cut
  tell(9, ids[1]);  // a hole
  ASSERT_TRUE(client_.Call<OpKind::kMutation>(&op::CommitWrite, request).has_value());
  const auto entries = bench_.kv().contents().Entries();
  const VolumeId volume = bench_.volume()->id();
  const auto is_written = [&](std::uint64_t index) {
    const std::string key = ChunkKey(volume, file, index);
    return DecodeRecord<records::Chunk>(key, entries.at(key))->written();
  };
  const std::string inode_key = InodeKey(volume, file);
  EXPECT_TRUE(DecodeRecord<records::Inode>(inode_key, entries.at(inode_key))->first_chunk().written());
  EXPECT_FALSE(is_written(1));
  EXPECT_TRUE(is_written(2));
  EXPECT_FALSE(is_written(3));
  bench_.ExpectConsistent();
}

TEST_F(ContentTest, AWriteBecomesVisibleByItsCommit) {
  const Ino file = client_.File(kRootIno, "a");
  const proto::Attr before = client_.AttrOf(file);
  proto::CommitWriteRequest request;
  request.set_ino(file.value());
  request.set_end_bytes(5000);
  request.set_mtime_ns(77);
  request.set_added_bytes(8192);
  const Result<proto::CommitWriteReply> reply = client_.Call<OpKind::kMutation>(&op::CommitWrite, request);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->attr().size(), 5000u);
  EXPECT_EQ(reply->attr().mtime_ns(), 77);
  EXPECT_EQ(reply->attr().used_bytes(), 8192u);
  EXPECT_GT(reply->attr().data_version(), before.data_version());

  const Result<proto::CommitWriteReply> shorter = client_.CommitWrite(file, 10);
  EXPECT_EQ(shorter->attr().size(), 5000u);
  EXPECT_GT(shorter->attr().data_version(), reply->attr().data_version()) << "an overwrite is a change";
  EXPECT_EQ(shorter->attr().used_bytes(), 8192u) << "an estimate never counts more than the file's length";

  request.set_end_bytes(1 << 20);
  request.set_keep_size(true);
  EXPECT_EQ(client_.Call<OpKind::kMutation>(&op::CommitWrite, request)->attr().size(), 5000u);
  EXPECT_EQ(CodeOf(client_.CommitWrite(file, kMaxFileBytes + 1)), ErrorCode::kTooLarge);
  EXPECT_EQ(CodeOf(client_.CommitWrite(kRootIno, 1)), ErrorCode::kIsDirectory);
  EXPECT_EQ(CodeOf(client_.CommitWrite(file, 1, kBob)), ErrorCode::kPermissionDenied);
  ASSERT_TRUE(client_.Unlink(kRootIno, "a").has_value());
  EXPECT_EQ(CodeOf(client_.CommitWrite(file, 1)), ErrorCode::kStale);
}

TEST_F(ContentTest, ChunksGoWhereTheFileHasHoles) {
  const Ino file = client_.File(kRootIno, "a");
  const std::uint64_t first = client_.AttrOf(file).first_chunk().chunk_id();
  const Result<proto::AllocateChunksReply> allocated = client_.Allocate(file, 2, 2);
  ASSERT_TRUE(allocated.has_value());
  const std::uint64_t second = allocated->chunks(0).chunk_id(), third = allocated->chunks(1).chunk_id();
  EXPECT_NE(allocated->chunks(0).pg_id(), 0u);
  EXPECT_THAT(client_.Chunks(file, 0, 5), ElementsAre(first, 0u, second, third, 0u));
  EXPECT_THAT(client_.Chunks(file, 3, 1), ElementsAre(third));
  const Result<proto::AllocateChunksReply> again = client_.Allocate(file, 0, 4);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->chunks(0).chunk_id(), first);
  EXPECT_NE(again->chunks(1).chunk_id(), 0u);
  EXPECT_EQ(again->chunks(2).chunk_id(), second);
  EXPECT_EQ(client_.AttrOf(file).size(), 0u) << "a place is not content";
}

TEST_F(ContentTest, ChunkRequestsAreBounded) {
  const Ino file = client_.File(kRootIno, "a");
  EXPECT_EQ(CodeOf(client_.Allocate(file, 0, 65)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(client_.Allocate(file, 0, 0)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(client_.Allocate(file, kMaxFileBytes / kChunkBytes + 1, 1)), ErrorCode::kTooLarge);
  EXPECT_EQ(CodeOf(client_.Allocate(file, UINT64_MAX, 2)), ErrorCode::kTooLarge);
  EXPECT_EQ(CodeOf(client_.Allocate(file, 1, 1, kBob)), ErrorCode::kPermissionDenied);
  proto::AllocateChunksRequest foreign;
  foreign.set_ino(file.value());
  foreign.add_chunk_ids(1'000'000'000);
  foreign.set_first_index(3);
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kRepeatable>(&op::AllocateChunks, foreign)), ErrorCode::kInvalidArgument);
  proto::GetChunksRequest get;
  get.set_ino(file.value());
  get.set_count(1025);
  EXPECT_EQ(CodeOf(client_.Call<OpKind::kRead>(&op::GetChunks, get)), ErrorCode::kInvalidArgument);
}

TEST_F(ContentTest, ACutToTheSizeThatItHasIsAChange) {
  const Ino file = client_.File(kRootIno, "a");
  ASSERT_TRUE(client_.CommitWrite(file, 10'000).has_value());
  const std::uint64_t version = client_.AttrOf(file).data_version();
  ASSERT_TRUE(client_.Truncate(file, 10'000).has_value());
  EXPECT_GT(client_.AttrOf(file).data_version(), version);
}

TEST_F(ContentTest, ACutInAChunkIsTrimmedBeforeTheFileGrows) {
  const Ino file = client_.File(kRootIno, "a");
  ASSERT_TRUE(client_.CommitWrite(file, 10'000).has_value());
  const std::uint64_t version = client_.AttrOf(file).data_version();
  ASSERT_TRUE(client_.Truncate(file, 100).has_value());
  const proto::Attr cut = client_.AttrOf(file);
  EXPECT_EQ(cut.size(), 100u);
  EXPECT_GT(cut.data_version(), version);
  ASSERT_TRUE(cut.has_trim());
  EXPECT_EQ(cut.trim().length_bytes(), 100u);
  EXPECT_EQ(cut.trim().chunk().chunk_id(), cut.first_chunk().chunk_id());

  EXPECT_EQ(CodeOf(client_.Truncate(file, 200)), ErrorCode::kBusy);
  EXPECT_EQ(CodeOf(client_.CommitWrite(file, 200)), ErrorCode::kBusy);
  EXPECT_TRUE(client_.CommitWrite(file, 50).has_value()) << "within the file there is nothing to wait for";
  ASSERT_TRUE(client_.Truncate(file, 60).has_value());
  const std::uint64_t generation = client_.AttrOf(file).trim().generation();
  EXPECT_GT(generation, cut.trim().generation());
  ASSERT_TRUE(FinishTrim(file, cut.trim().generation()).has_value());
  EXPECT_TRUE(client_.AttrOf(file).has_trim()) << "a late word about an older cut";
  EXPECT_EQ(CodeOf(FinishTrim(file, generation, kBob)), ErrorCode::kPermissionDenied);
  ASSERT_TRUE(FinishTrim(file, generation).has_value());
  ASSERT_TRUE(FinishTrim(file, generation).has_value());
  EXPECT_FALSE(client_.AttrOf(file).has_trim());
  ASSERT_TRUE(client_.Truncate(file, 200).has_value());
  EXPECT_EQ(client_.AttrOf(file).size(), 200u);
}

TEST_F(ContentTest, ACutDropsWholeChunks) {
  const Ino file = LargeFile("a", 5);
  const std::vector<std::uint64_t> chunks = client_.Chunks(file, 0, 5);
  ASSERT_TRUE(client_.Truncate(file, 2 * kChunkBytes).has_value());
  EXPECT_FALSE(client_.AttrOf(file).has_trim()) << "cut between two chunks";
  EXPECT_THAT(client_.Chunks(file, 0, 5), ElementsAre(chunks[0], chunks[1], 0u, 0u, 0u));
  EXPECT_EQ(bench_.Garbage().size(), 9u);
  EXPECT_EQ(bench_.Garbage().count(chunks[4]), 3u);
  EXPECT_LE(client_.AttrOf(file).used_bytes(), 2 * kChunkBytes);
  ASSERT_TRUE(client_.Truncate(file, kChunkBytes + 5).has_value());
  EXPECT_EQ(client_.AttrOf(file).trim().chunk_index(), 1u);
  ASSERT_TRUE(client_.Truncate(file, 0).has_value());
  EXPECT_FALSE(client_.AttrOf(file).has_trim());
  EXPECT_THAT(client_.Chunks(file, 0, 2), ElementsAre(0u, 0u));
  EXPECT_EQ(bench_.Garbage().size(), 15u);
  EXPECT_EQ(client_.AttrOf(file).used_bytes(), 0u);
}

TEST_F(ContentTest, ManyChunksAreDroppedInTheBackground) {
  const Ino file = LargeFile("a", 300);
  ASSERT_TRUE(client_.Truncate(file, 10 * kChunkBytes).has_value());
  EXPECT_EQ(client_.Chunks(file, 0, 300)[10], 0u) << "what awaits removal is no part of the file";
  EXPECT_EQ(CodeOf(client_.Allocate(file, 20, 1)), ErrorCode::kUnavailable);
  EXPECT_TRUE(client_.Allocate(file, 9, 1).has_value());
  ASSERT_TRUE(client_.Truncate(file, 5 * kChunkBytes).has_value());
  bench_.Restart();
  ASSERT_TRUE(client_.Resume({}).has_value());
  bench_.RunDuties();
  EXPECT_EQ(bench_.CountRecords(Table::kChunk), 4u);
  EXPECT_EQ(bench_.CountRecords(Table::kReclaim), 0u);
  EXPECT_EQ(bench_.Garbage().size(), 295u * 3);
  EXPECT_TRUE(client_.Allocate(file, 20, 1).has_value());
}

TEST_F(ContentTest, ALargeFileGoesInTheBackground) {
  const Ino file = LargeFile("a", 300);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client_.SetXattr(file, "user." + std::to_string(i), "x").has_value());
  ASSERT_TRUE(client_.Unlink(kRootIno, "a").has_value());
  EXPECT_EQ(CodeOf(client_.GetAttr(file)), ErrorCode::kStale);
  bench_.RunDuties();
  EXPECT_EQ(bench_.CountRecords(Table::kChunk), 0u);
  EXPECT_EQ(bench_.CountRecords(Table::kXattr), 0u);
  EXPECT_EQ(bench_.CountRecords(Table::kReclaim), 0u);
  EXPECT_EQ(bench_.Garbage().size(), 900u);
}

TEST_F(ContentTest, OpenFollowsTheMode) {
  const Ino file = client_.File(kRootIno, "a", kRoot, 0640);
  ASSERT_TRUE(client_.Chown(file, kAlice.uid, 77).has_value());
  EXPECT_EQ(CodeOf(client_.Open(file, 1, O_RDONLY, kBob)), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.Open(file, 1, O_RDONLY, {kBob.uid, 77, {}}).has_value());
  EXPECT_EQ(CodeOf(client_.Open(file, 2, O_WRONLY, {kBob.uid, 77, {}})), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(client_.Open(file, 2, O_RDONLY | O_TRUNC, {kBob.uid, 77, {}})), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(client_.Open(file, 2, O_RDWR, kAlice).has_value());
  EXPECT_EQ(CodeOf(client_.Open(kRootIno, 3, O_WRONLY)), ErrorCode::kIsDirectory);
  EXPECT_EQ(CodeOf(client_.Open(kRootIno, 1, O_RDONLY)), ErrorCode::kInvalidArgument) << "a handle of another file";
  EXPECT_EQ(CodeOf(client_.Open(file, 0, O_RDONLY)), ErrorCode::kInvalidArgument);
  const std::uint32_t kForExec = 040;
  EXPECT_EQ(CodeOf(client_.Open(file, 4, kForExec, kRoot)), ErrorCode::kPermissionDenied) << "nobody may execute it";
}

TEST_F(ContentTest, OpenMayTruncate) {
  const Ino file = client_.File(kRootIno, "a");
  ASSERT_TRUE(client_.CommitWrite(file, 10'000).has_value());
  const Result<proto::OpenReply> opened = client_.Open(file, 1, O_WRONLY | O_TRUNC);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->attr().size(), 0u);
  EXPECT_EQ(bench_.Garbage().size(), 3u);
}

TEST_F(ContentTest, CreateOpensWhatIsThere) {
  const Ino file = client_.File(kRootIno, "a");
  ASSERT_TRUE(client_.CommitWrite(file, 100).has_value());
  proto::CreateRequest request = client_.NewInode(kRootIno, "a", S_IFREG | 0644);
  request.set_handle_id(1);
  request.set_open_flags(O_RDWR);
  Result<proto::CreateReply> reply = client_.Create(request);
  ASSERT_TRUE(reply.has_value());
  EXPECT_FALSE(reply->created());
  EXPECT_EQ(reply->attr().ino(), file.value());
  EXPECT_EQ(reply->attr().size(), 100u);
  request.set_handle_id(2);
  request.set_truncate(true);
  EXPECT_EQ(CodeOf(client_.Create(request, kBob)), ErrorCode::kPermissionDenied);
  reply = client_.Create(request);
  EXPECT_EQ(reply->attr().size(), 0u);
  EXPECT_EQ(reply->attr().first_chunk().chunk_id(), request.first_chunk_id()) << "the next write needs no question";
  request.set_exclusive(true);
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kExists);
  client_.Directory(kRootIno, "d");
  request = client_.NewInode(kRootIno, "d", S_IFREG | 0644);
  request.set_handle_id(3);
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kIsDirectory);
}

TEST_F(ContentTest, AnUnlinkedFileLivesUntilItsLastClose) {
  MetaClient other(bench_);
  const Ino file = client_.File(kRootIno, "a");
  ASSERT_TRUE(client_.Open(file, 1, O_RDWR).has_value());
  ASSERT_TRUE(other.Open(file, 1, O_RDONLY).has_value());
  EXPECT_EQ(client_.Unlink(kRootIno, "a")->nlink(), 0u);
  EXPECT_TRUE(client_.CommitWrite(file, 100).has_value());
  EXPECT_EQ(other.AttrOf(file).size(), 100u);
  EXPECT_EQ(CodeOf(client_.Link(file, kRootIno, "b")), ErrorCode::kNotFound);
  ASSERT_TRUE(client_.Release({1, 1, 99}).has_value());
  EXPECT_TRUE(other.GetAttr(file).has_value());
  EXPECT_TRUE(other.Open(file, 2, O_RDONLY).has_value()) << "through /proc/self/fd";
  ASSERT_TRUE(other.Release({1}).has_value());
  EXPECT_TRUE(other.GetAttr(file).has_value());
  ASSERT_TRUE(other.Release({2}).has_value());
  EXPECT_EQ(CodeOf(other.GetAttr(file)), ErrorCode::kStale);
  EXPECT_EQ(CodeOf(other.Open(file, 3, O_RDONLY)), ErrorCode::kStale);
  EXPECT_EQ(bench_.CountRecords(Table::kOrphan), 0u);
  EXPECT_EQ(bench_.Garbage().size(), 3u);
}

TEST_F(ContentTest, AFileWithoutANameMayGetOne) {
  proto::CreateRequest request = client_.NewInode(kRootIno, "", S_IFREG | 0600);
  EXPECT_EQ(CodeOf(client_.Create(request)), ErrorCode::kInvalidArgument) << "not open, not named: of no use";
  request.set_handle_id(1);
  const Result<proto::CreateReply> made = client_.Create(request);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->attr().nlink(), 0u);
  EXPECT_TRUE(client_.Names(kRootIno).empty());
  const Ino file(made->attr().ino());
  ASSERT_TRUE(client_.Link(file, kRootIno, "a").has_value());
  EXPECT_EQ(client_.AttrOf(file).nlink(), 1u);
  ASSERT_TRUE(client_.Release({1}).has_value());
  bench_.RunDuties();
  EXPECT_TRUE(client_.GetAttr(file).has_value());
  EXPECT_EQ(bench_.CountRecords(Table::kOrphan), 0u);

  request = client_.NewInode(kRootIno, "", S_IFREG | 0600);
  request.set_handle_id(2);
  request.set_exclusive(true);
  const Ino unlinkable(client_.Create(request)->attr().ino());
  EXPECT_EQ(CodeOf(client_.Link(unlinkable, kRootIno, "b")), ErrorCode::kNotFound);
  ASSERT_TRUE(client_.Release({2}).has_value());
  EXPECT_EQ(CodeOf(client_.GetAttr(unlinkable)), ErrorCode::kStale);
}

TEST_F(ContentTest, StatFsCountsReplicas) {
  for (unsigned number = 1; number <= 3; ++number)
    ASSERT_TRUE(bench_.Heartbeat(number, number, {}, 30 * kGiB).has_value());
  const Result<proto::StatFsReply> reply = client_.Call<OpKind::kRead>(&op::StatFs, proto::StatFsRequest());
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->total_bytes(), MetaBench::kServerBytes);
  EXPECT_EQ(reply->free_bytes(), MetaBench::kServerBytes - 30 * kGiB);
  EXPECT_GT(reply->free_inodes(), 0u);
}

TEST_F(ContentTest, AReadOnlySessionOpensAndChangesNothing) {
  const Ino file = client_.File(kRootIno, "a");
  MetaClient reader(bench_, true);
  EXPECT_EQ(CodeOf(reader.MakeFile(kRootIno, "b")), ErrorCode::kReadOnly);
  EXPECT_EQ(CodeOf(reader.Allocate(file, 1, 1)), ErrorCode::kReadOnly);
  EXPECT_EQ(CodeOf(reader.Open(file, 1, O_RDWR | O_TRUNC)), ErrorCode::kReadOnly);
  EXPECT_TRUE(reader.Open(file, 1, O_RDONLY).has_value());
  EXPECT_TRUE(reader.Release({1}).has_value());
}

}  // namespace
}  // namespace gabion
