#include "chunkserver/pg/member_calls.h"

#include "chunkserver/replication/forward.h"

namespace gabion {
namespace {

// A look at an index, or some blocks.
constexpr Duration kMemberCallLimit = std::chrono::seconds(5);
// Disks may have seconds of writes to flush.
constexpr Duration kSyncLimit = std::chrono::seconds(30);

}  // namespace

void MemberCalls::Aim(proto::PgTarget& target) const {
  target.set_pg_id(pg_.value());
  target.set_epoch(epoch_.value());
  target.set_fence(context_.fences.ForMember(member_));
}

void MemberCalls::Aim(ChunkId chunk, proto::ChunkTarget& target) const {
  target.set_pg_id(pg_.value());
  target.set_epoch(epoch_.value());
  target.set_chunk_id(chunk.value());
  target.set_replica(true);
  target.set_resync(true);
  target.set_may_spend_reserve(may_spend_reserve_);
  target.set_fence(context_.fences.ForMember(member_));
}

template <typename Reply>
Task<Result<Reply>> MemberCalls::Call(proto::Method method, std::string header, Payload payload, Duration limit) {
  if (env_.Buggified("chunk.give_up_member")) limit = std::chrono::milliseconds(1);
  Result<RpcReply> reply = co_await context_.peers.Call(env_, member_, method, std::move(header), std::move(payload),
                                                        env_.clock.Now() + limit);
  if (!reply) {
    if (!OutcomeIsKnown(reply.error().code())) context_.fences.Raise(member_);
    co_return reply.error();
  }
  Reply message;
  if (!message.ParseFromString(reply->header)) {
    co_return Error(ErrorCode::kProtocol, proto::Method_Name(method) + ": the answer does not parse");
  }
  co_return message;
}

template <typename Reply>
Task<Result<void>> MemberCalls::CallForNothing(proto::Method method, std::string header, Payload payload,
                                               Duration limit) {
  Result<Reply> reply = co_await Call<Reply>(method, std::move(header), std::move(payload), limit);
  if (!reply) co_return reply.error();
  co_return Result<void>();
}

Task<Result<proto::ListChunksReply>> MemberCalls::List(proto::ListChunksRequest request) {
  Aim(*request.mutable_pg());
  Payload none;
  return Call<proto::ListChunksReply>(proto::METHOD_LIST_CHUNKS, request.SerializeAsString(), std::move(none),
                                      kMemberCallLimit);
}

Task<Result<proto::DigestChunkReply>> MemberCalls::Digest(ChunkId chunk, std::uint32_t first_page,
                                                          std::uint32_t page_count, bool of_bytes) {
  proto::DigestChunkRequest request;
  Aim(chunk, *request.mutable_target());
  request.set_first_page(first_page);
  request.set_page_count(page_count);
  request.set_of_bytes(of_bytes);
  Payload none;
  return Call<proto::DigestChunkReply>(proto::METHOD_DIGEST_CHUNK, request.SerializeAsString(), std::move(none),
                                       kMemberCallLimit);
}

Task<Result<Slice>> MemberCalls::ReadBlock(ChunkId chunk, std::uint32_t offset_bytes) {
  proto::ReadChunkRequest request;
  Aim(chunk, *request.mutable_target());
  request.set_offset_bytes(offset_bytes);
  request.set_length_bytes(kBlockBytes);
  Payload none;
  Result<RpcReply> reply =
      co_await context_.peers.Call(env_, member_, proto::METHOD_READ_CHUNK, request.SerializeAsString(),
                                   std::move(none), env_.clock.Now() + kMemberCallLimit);
  if (!reply) co_return reply.error();
  Slice block = reply->payload.Joined();
  if (block.size() != kBlockBytes) {
    co_return Error(ErrorCode::kProtocol, "METHOD_READ_CHUNK: not the block that was asked for");
  }
  co_return block;
}

Task<Result<void>> MemberCalls::Adopt(proto::AdoptChunksRequest request) {
  Aim(*request.mutable_pg());
  Payload none;
  return CallForNothing<proto::AdoptChunksReply>(proto::METHOD_ADOPT_CHUNKS, request.SerializeAsString(),
                                                 std::move(none), kMemberCallLimit);
}

Task<Result<void>> MemberCalls::Settled() {
  proto::PgSettledRequest request;
  Aim(*request.mutable_pg());
  Payload none;
  return CallForNothing<proto::PgSettledReply>(proto::METHOD_PG_SETTLED, request.SerializeAsString(), std::move(none),
                                               kMemberCallLimit);
}

Task<Result<void>> MemberCalls::ClearUnsettled(std::vector<ChunkId> chunks) {
  proto::ClearUnsettledRequest request;
  Aim(*request.mutable_pg());
  for (ChunkId chunk : chunks) request.add_chunk_ids(chunk.value());
  Payload none;
  return CallForNothing<proto::ClearUnsettledReply>(proto::METHOD_CLEAR_UNSETTLED, request.SerializeAsString(),
                                                    std::move(none), kMemberCallLimit);
}

Task<Result<void>> MemberCalls::Sync() {
  proto::SyncPgRequest request;
  Aim(*request.mutable_pg());
  Payload none;
  return CallForNothing<proto::SyncPgReply>(proto::METHOD_SYNC_PG, request.SerializeAsString(), std::move(none),
                                            kSyncLimit);
}

Task<Result<void>> MemberCalls::Write(ChunkId chunk, std::uint32_t offset_bytes, Payload payload,
                                      std::vector<BlockChecksum> checksums) {
  proto::WriteChunkRequest request;
  Aim(chunk, *request.mutable_target());
  request.set_offset_bytes(offset_bytes);
  request.mutable_checksums()->Assign(checksums.begin(), checksums.end());
  return CallForNothing<proto::WriteChunkReply>(proto::METHOD_WRITE_CHUNK, request.SerializeAsString(),
                                                std::move(payload), kMemberCallLimit);
}

Task<Result<void>> MemberCalls::Zero(ChunkId chunk, std::uint32_t offset_bytes, std::uint32_t length_bytes) {
  proto::ZeroChunkRequest request;
  Aim(chunk, *request.mutable_target());
  request.set_offset_bytes(offset_bytes);
  request.set_length_bytes(length_bytes);
  Payload none;
  return CallForNothing<proto::ZeroChunkReply>(proto::METHOD_ZERO_CHUNK, request.SerializeAsString(), std::move(none),
                                               kMemberCallLimit);
}

}  // namespace gabion
