// What a server tells a check of the cluster about its chunks.
#include <gmock/gmock.h>

#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ListStoredTest : public testing::Test {
 protected:
  ~ListStoredTest() override { cluster_.world().RunUntilDone(Stop()); }
  Task<void> Stop() { co_await metaserver_.Stop(); }

  Result<proto::ListStoredChunksReply> List(proto::ListStoredChunksRequest request) {
    auto reply = cluster_.world().RunUntilDone(TestCluster::CallTask<proto::ListStoredChunksReply>(
        metaserver_, proto::METHOD_LIST_STORED_CHUNKS, std::move(request), "", cluster_.In(std::chrono::seconds(5))));
    if (!reply) return reply.error();
    return reply->message;
  }
  static std::vector<std::uint64_t> ChunksOf(const proto::ListStoredChunksReply& reply) {
    std::vector<std::uint64_t> chunks;
    for (const proto::StoredChunk& chunk : reply.chunks()) {
      EXPECT_EQ(chunk.pg_id(), 1u);
      chunks.push_back(chunk.chunk_id());
    }
    return chunks;
  }

  TestCluster cluster_{{.disks = 2}};
  RpcClient metaserver_{cluster_.world().machine("test").env(), ServerEndpoint(2),
                        Identity{proto::ROLE_METASERVER, "", 0}};
};

TEST_F(ListStoredTest, GivesAllChunksInPages) {
  std::vector<std::uint64_t> written;
  for (std::uint64_t chunk = 3; chunk < 30; chunk += 3) {
    ASSERT_EQ(CodeOf(cluster_.Write(chunk, 0, Pattern(5000, chunk))), ErrorCode::kOk);
    written.push_back(chunk);
  }
  std::vector<std::uint64_t> listed;
  proto::ListStoredChunksRequest request;
  request.set_max_entries(2);
  for (bool end = false; !end;) {
    const Result<proto::ListStoredChunksReply> reply = List(request);
    ASSERT_TRUE(reply.has_value()) << reply.error().ToString();
    ASSERT_LE(reply->chunks_size(), 2);
    for (std::uint64_t chunk : ChunksOf(*reply)) listed.push_back(chunk);
    end = reply->end();
    if (!listed.empty()) request.set_after_chunk(listed.back());
  }
  EXPECT_EQ(listed, written);
}

TEST_F(ListStoredTest, LooksSingleChunksUp) {
  for (std::uint64_t chunk : {5, 6, 7}) ASSERT_EQ(CodeOf(cluster_.Write(chunk, 0, "bytes")), ErrorCode::kOk);
  proto::ListStoredChunksRequest request;
  for (std::uint64_t chunk : {4, 5, 7, 8}) request.add_chunk_ids(chunk);
  EXPECT_THAT(ChunksOf(*List(request)), ElementsAre(5, 7));
}

TEST_F(ListStoredTest, RefusesWhatItShould) {
  proto::ListStoredChunksRequest request;
  EXPECT_EQ(CodeOf(List(request)), ErrorCode::kInvalidArgument) << "a page of nothing";
  request.set_max_entries(100'000);
  EXPECT_EQ(CodeOf(List(request)), ErrorCode::kInvalidArgument);
  request.set_max_entries(10);
  EXPECT_THAT(ChunksOf(*List(request)), IsEmpty());
  for (std::uint64_t chunk = 1; chunk <= 4097; ++chunk) request.add_chunk_ids(chunk);
  EXPECT_EQ(CodeOf(List(request)), ErrorCode::kInvalidArgument);
  request.clear_chunk_ids();
  const auto client = cluster_.Call<proto::ListStoredChunksReply>(2, proto::METHOD_LIST_STORED_CHUNKS, request);
  EXPECT_EQ(CodeOf(client), ErrorCode::kUnauthenticated) << "a client has no business here";
}

}  // namespace
}  // namespace gabion
