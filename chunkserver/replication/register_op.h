#pragma once

#include <utility>

#include "chunkserver/replication/data_context.h"
#include "common/rpc/rpc_server.h"

namespace gabion {

/// Has `server` answer `method` with an op of this server. `context` outlives the server.
template <typename Request, typename Reply>
void RegisterOp(RpcServer& server, DataContext& context, proto::Method method,
                Task<Result<Reply>> (*op)(DataContext&, Request, RpcRequest)) {
  HandleTyped<Request, Reply>(server, method, [&context, op](Request request, RpcRequest call) {
    return op(context, std::move(request), std::move(call));
  });
}

}  // namespace gabion
