#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"
#include "chunkserver/replication/read_verified.h"

namespace gabion {
namespace {

/// Whether this copy may answer now (docs/replication.md, "Reads"). Errors: kUnavailable: ask the primary, or later.
Result<void> CheckReadable(DataContext& context, const Membership::Serving& serving, ChunkId chunk) {
  const MembershipView::Group& group = *serving.group;
  if (group.primary == serving.self) return CheckServes(context, group);
  if (!context.pgs.IsSettled(group.id, group.epoch)) {
    return Error(ErrorCode::kUnavailable, "the primary has yet to say that this copy is the same as its own");
  }
  if (context.stores.IsUnsettled(group.id, chunk) || context.pgs.IsChanging(group.id, chunk)) {
    return Error(ErrorCode::kUnavailable, "the chunk was changed a moment ago: its primary is to be asked");
  }
  return {};
}

}  // namespace

Task<Result<RpcResponse>> ReadChunk(DataContext& context, RpcRequest call) {
  proto::ReadChunkRequest request;
  if (!request.ParseFromString(call.header)) {
    co_return Error(ErrorCode::kProtocol, "METHOD_READ_CHUNK: the request does not parse");
  }
  CO_TRY(CheckChunkRange(request.offset_bytes(), request.length_bytes()));
  Result<Admission::Ticket> ticket = context.admission.Admit(request.length_bytes(), bool(CallingServer(call)));
  if (!ticket) co_return ticket.error();
  ChunkId chunk(request.target().chunk_id());
  PageRange pages = PageRange::Covering(request.offset_bytes(), request.length_bytes());
  for (;;) {
    Result<Membership::Serving> serving = context.membership.CheckRead(request.target(), call.env->clock.Now());
    if (!serving) co_return serving.error();
    CO_TRY(CheckReadable(context, *serving, chunk));
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
    // What a change under way has put there may be taken back: another look, after its end. A member that is not the
    // primary finds the chunk unsettled now.
    if (serving->group->primary == serving->self && context.order.IsLocked(chunk, pages)) {
      if (call.env->clock.Now() >= call.deadline)
        co_return Error(ErrorCode::kDeadlineExceeded, "changes of the same pages took too long");
      RangeLocks::Guard wait = co_await context.order.Lock(chunk, pages);
      continue;
    }
    // A disk may take longer than a lease: the copy may be old by now.
    serving = context.membership.CheckRead(request.target(), call.env->clock.Now());
    if (!serving) co_return serving.error();
    CO_TRY(CheckReadable(context, *serving, chunk));
    response.header = reply.SerializeAsString();
    co_return response;
  }
}

}  // namespace gabion
