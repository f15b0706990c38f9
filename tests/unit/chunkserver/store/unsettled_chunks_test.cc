#include "chunkserver/store/unsettled_chunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gabion {
namespace {

using testing::ElementsAre;

TEST(UnsettledChunksTest, KeepsGroupsApart) {
  UnsettledChunks unsettled;
  unsettled.Add({PgId(1), ChunkId(5)});
  unsettled.Add({PgId(1), ChunkId(3)});
  unsettled.Add({PgId(1), ChunkId(3)});
  unsettled.Add({PgId(2), ChunkId(4)});
  EXPECT_THAT(unsettled.Of(PgId(1)), ElementsAre(ChunkId(3), ChunkId(5)));
  EXPECT_THAT(unsettled.Of(PgId(3)), ElementsAre());
  EXPECT_TRUE(unsettled.Contains({PgId(2), ChunkId(4)}));
  EXPECT_FALSE(unsettled.Contains({PgId(1), ChunkId(4)}));
  unsettled.Remove({PgId(1), ChunkId(3)});
  unsettled.Remove({PgId(1), ChunkId(4)});
  unsettled.Remove({PgId(9), ChunkId(4)});
  EXPECT_THAT(unsettled.Of(PgId(1)), ElementsAre(ChunkId(5)));
  unsettled.Remove({PgId(1), ChunkId(5)});
  EXPECT_THAT(unsettled.Of(PgId(1)), ElementsAre());
}

}  // namespace
}  // namespace gabion
