#include "fs-client/io/chunk_places.h"

#include <gmock/gmock.h>

#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

class ChunkPlacesTest : public CoreFixture {
 protected:
  ChunkPlace ForReading(const OpenInodePtr& inode, std::uint64_t index, bool again = false) {
    Result<ChunkPlace> place = Run(places_.ForReading(&loop_, inode, index, again));
    EXPECT_TRUE(place.has_value());
    return place ? *place : ChunkPlace();
  }
  ChunkPlace ForWriting(const OpenInodePtr& inode, std::uint64_t index) {
    Result<ChunkPlace> place = Run(places_.ForWriting(&loop_, inode, index));
    EXPECT_TRUE(place.has_value());
    return place ? *place : ChunkPlace();
  }
};

TEST_F(ChunkPlacesTest, FirstChunkComesWithTheFile) {
  meta_.attr.mutable_first_chunk()->set_chunk_id(70);
  meta_.attr.mutable_first_chunk()->set_pg_id(1);
  OpenInodePtr inode = OpenFile()->inode;
  EXPECT_EQ(ForReading(inode, 0).chunk, ChunkId(70));
  EXPECT_EQ(ForWriting(inode, 0).chunk, ChunkId(70));
  EXPECT_TRUE(meta_.order().empty());
}

TEST_F(ChunkPlacesTest, AsksOnceForManyAndRemembers) {
  meta_.attr.set_size(5 * kChunkBytes);
  meta_.chunks[2].set_chunk_id(72);
  OpenInodePtr inode = OpenFile()->inode;
  EXPECT_TRUE(ForReading(inode, 1).hole());
  EXPECT_EQ(ForReading(inode, 2).chunk, ChunkId(72));
  EXPECT_TRUE(ForReading(inode, 4).hole());
  EXPECT_EQ(meta_.calls(proto::METHOD_GET_CHUNKS), 1u);
  meta_.chunks[4].set_chunk_id(74);
  EXPECT_TRUE(ForReading(inode, 4).hole());
  EXPECT_EQ(ForReading(inode, 4, true).chunk, ChunkId(74)) << "a hole is asked for again if wanted";
}

TEST_F(ChunkPlacesTest, PlacesAheadOfALongWriter) {
  OpenInodePtr inode = OpenFile()->inode;
  EXPECT_FALSE(ForWriting(inode, 0).hole());
  EXPECT_EQ(meta_.chunks.size(), 1u) << "small files get what they need";
  inode->known.size = 6 * kChunkBytes;
  for (std::uint64_t index = 1; index < 6; ++index) ForWriting(inode, index);
  std::size_t calls = meta_.calls(proto::METHOD_ALLOCATE_CHUNKS);
  EXPECT_LT(calls, 6u);
  EXPECT_GT(meta_.chunks.size(), 6u);
}

TEST_F(ChunkPlacesTest, PendingCutIsMadeBeforeAnythingIsWritten) {
  meta_.chunks[0].set_chunk_id(70);
  *meta_.attr.mutable_first_chunk() = meta_.chunks[0];
  meta_.attr.mutable_first_chunk()->set_pg_id(1);
  proto::TrimMark& mark = *meta_.attr.mutable_trim();
  *mark.mutable_chunk() = meta_.attr.first_chunk();
  mark.set_length_bytes(3);
  mark.set_generation(4);
  chunk1_.chunks[70] = "abcdef";
  OpenInodePtr inode = OpenFile()->inode;
  EXPECT_EQ(ForWriting(inode, 0).chunk, ChunkId(70));
  EXPECT_EQ(chunk1_.chunks[70], "abc");
  EXPECT_FALSE(meta_.attr.has_trim());
  EXPECT_THAT(meta_.order(), testing::ElementsAre(proto::METHOD_SYNC_META, proto::METHOD_FINISH_TRIM));
}

TEST_F(ChunkPlacesTest, IdsOfALostSessionAreReplaced) {
  OpenInodePtr inode = OpenFile()->inode;
  meta_.session_id = 0;
  bool first = true;
  meta_.On<proto::AllocateChunksRequest, proto::AllocateChunksReply>(
      proto::METHOD_ALLOCATE_CHUNKS,
      [this, &first](const proto::AllocateChunksRequest& request) -> Result<proto::AllocateChunksReply> {
        if (request.op().session_id() != meta_.session_id) return {ErrorCode::kSessionExpired, "gone"};
        if (std::exchange(first, false)) return {ErrorCode::kInvalidArgument, "ids of another session"};
        proto::AllocateChunksReply reply;
        proto::ChunkRef& chunk = *reply.add_chunks();
        chunk.set_chunk_id(request.chunk_ids(0));
        chunk.set_pg_id(1);
        return reply;
      });
  EXPECT_FALSE(ForWriting(inode, 0).hole());
}

}  // namespace
}  // namespace gabion
