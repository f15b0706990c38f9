#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"
#include "chunkserver/replication/read_verified.h"

namespace gabion {

Task<Result<RpcResponse>> ReadChunk(DataContext& context, RpcRequest call) {
  proto::ReadChunkRequest request;
  if (!request.ParseFromString(call.header)) {
    co_return Error(ErrorCode::kProtocol, "METHOD_READ_CHUNK: the request does not parse");
  }
  Result<Membership::Serving> serving = context.membership.CheckRead(request.target(), call.env->clock.Now());
  if (!serving) co_return serving.error();
  CO_TRY(CheckChunkRange(request.offset_bytes(), request.length_bytes()));
  Result<Admission::Ticket> ticket = context.admission.Admit(request.length_bytes(), bool(CallingServer(call)));
  if (!ticket) co_return ticket.error();

  ChunkId chunk(request.target().chunk_id());
  Result<ExtentStore*> store = co_await context.stores.Find(chunk);
  if (!store) co_return store.error();
  RpcResponse response;
  proto::ReadChunkReply reply;
  if (*store != nullptr) {
    Result<ChunkRead> read = co_await ReadVerified(**store, chunk, request.offset_bytes(), request.length_bytes());
    if (!read) co_return read.error();
    reply.mutable_checksums()->Assign(read->checksums.begin(), read->checksums.end());
    response.payload = std::move(read->payload);
  }
  // A disk may take longer than a lease: the copy may be old by now.
  serving = context.membership.CheckRead(request.target(), call.env->clock.Now());
  if (!serving) co_return serving.error();
  response.header = reply.SerializeAsString();
  co_return response;
}

}  // namespace gabion
