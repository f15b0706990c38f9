#include "chunkserver/replication/data_ops.h"

namespace gabion {
namespace {

template <typename Request, typename Reply>
void Register(RpcServer& server, proto::Method method, DataContext& context,
              Task<Result<Reply>> (*op)(DataContext&, Request, RpcRequest)) {
  HandleTyped<Request, Reply>(server, method, [&context, op](Request request, RpcRequest call) {
    return op(context, std::move(request), std::move(call));
  });
}

}  // namespace

void RegisterDataOps(RpcServer& server, DataContext& context) {
  server.Handle(proto::METHOD_READ_CHUNK, [&context](RpcRequest call) { return ReadChunk(context, std::move(call)); });
  Register(server, proto::METHOD_WRITE_CHUNK, context, &WriteChunk);
  Register(server, proto::METHOD_SYNC_CHUNKS, context, &SyncChunks);
  Register(server, proto::METHOD_TRIM_CHUNK, context, &TrimChunk);
  Register(server, proto::METHOD_ZERO_CHUNK, context, &ZeroChunk);
  Register(server, proto::METHOD_COPY_CHUNK, context, &CopyChunk);
  Register(server, proto::METHOD_STAT_CHUNK, context, &StatChunk);
}

}  // namespace gabion
