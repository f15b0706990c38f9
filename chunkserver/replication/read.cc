#include "chunkserver/replication/data_ops.h"
#include "chunkserver/replication/mutation.h"
#include "chunkserver/replication/read_verified.h"
#include "common/env/mutate.h"

namespace gabion {
namespace {

/// Whether this copy may answer now (docs/replication.md, "Reads"). Errors: kUnavailable: ask the primary, or later.
Result<void> CheckReadable(DataContext& context, const Membership::Serving& serving, ChunkId chunk) {
  const MembershipView::Group& group = *serving.group;
  if (group.primary == serving.self) return CheckServes(context, group);
  if (Mutated("chunk.read_any_copy")) return {};
  if (!context.pgs.IsSettled(group.id, group.epoch)) {
    return Error(ErrorCode::kUnavailable, "the primary has yet to say that this copy is the same as its own");
  }
  if (context.stores.IsUnsettled(group.id, chunk) || context.pgs.IsChanging(group.id, chunk)) {
    return Error(ErrorCode::kUnavailable, "the chunk was changed a moment ago: its primary is to be asked");
  }
  return {};
}

struct ReadOutcome {
  RpcResponse response;
  bool beside_a_change = false;  // of the primary: what a change under way has put there may be in it
};

/// Reads, if this copy may answer before and after: a disk may take longer than a lease, and the copy may be old by
/// then.
Task<Result<ReadOutcome>> ReadOnce(DataContext& context, const proto::ReadChunkRequest& request,
                                   const RpcRequest& call) {
  ChunkId chunk(request.target().chunk_id());
  Result<Membership::Serving> serving = context.membership.CheckRead(request.target(), call.env->clock.Now());
  if (!serving) co_return serving.error();
  const bool is_primary = serving->group->primary == serving->self;
  CO_TRY(CheckReadable(context, *serving, chunk));
  Result<ExtentStore*> store = co_await context.stores.Find(chunk);
  if (!store) co_return store.error();
  ReadOutcome outcome;
  proto::ReadChunkReply reply;
  if (*store != nullptr) {
    Result<ChunkRead> read = co_await ReadVerified(**store, chunk, request.offset_bytes(), request.length_bytes());
    if (!read) co_return read.error();
    reply.mutable_checksums()->Assign(read->checksums.begin(), read->checksums.end());
    outcome.response.payload = std::move(read->payload);
  }
  if (call.env->Buggified("chunk.slow_read")) co_await call.env->clock.SleepFor(std::chrono::milliseconds(50));
  // Before the last look: a change that has failed by then has stopped the PG from serving before it let go of its
  // pages.
  PageRange pages = PageRange::Covering(request.offset_bytes(), request.length_bytes());
  outcome.beside_a_change = is_primary && !Mutated("chunk.read_beside_change") && context.order.IsLocked(chunk, pages);
  serving = context.membership.CheckRead(request.target(), call.env->clock.Now());
  if (!serving) co_return serving.error();
  CO_TRY(CheckReadable(context, *serving, chunk));
  outcome.response.header = reply.SerializeAsString();
  co_return outcome;
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
  Result<ReadOutcome> read = co_await ReadOnce(context, request, call);
  if (!read) co_return read.error();
  if (!read->beside_a_change) co_return std::move(read->response);
  // Once more, with the pages locked: later changes wait for it, other readers do not.
  ChunkId chunk(request.target().chunk_id());
  PageRange pages = PageRange::Covering(request.offset_bytes(), request.length_bytes());
  RangeLocks::Guard guard = co_await context.order.LockShared(chunk, pages);
  if (call.env->clock.Now() >= call.deadline)
    co_return Error(ErrorCode::kDeadlineExceeded, "changes of the same pages took too long");
  read = co_await ReadOnce(context, request, call);
  if (!read) co_return read.error();
  co_return std::move(read->response);
}

}  // namespace gabion
