#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/coro/task_group.h"
#include "common/env/env.h"
#include "common/rpc/handshake.h"
#include "common/rpc/rpc_server.h"
#include "common/rpc/waiter.h"

namespace gabion {

/// The handlers of a server, by method. Complete before the server starts, unchanged afterwards, so any loop reads it.
class MethodTable {
 public:
  /// CHECKs that the method has none yet.
  void Set(proto::Method method, RpcServer::Handler handler);
  /// Null if there is none.
  const RpcServer::Handler* Find(std::uint16_t method) const;

 private:
  std::vector<RpcServer::Handler> handlers_;
};

class ServerSession;

/// What a server keeps for each of its loops; touched on that loop only, but for `tasks`.
struct ServerLoop {
  explicit ServerLoop(Env& loop_env) : env(loop_env) {}

  Env& env;
  bool stopping = false;
  std::uint64_t next_key = 1;
  struct Open {
    Connection* connection = nullptr;
    proto::Role role = proto::ROLE_UNKNOWN;  // of the caller, once greeted
  };
  std::map<std::uint64_t, Open> open;  // every connection of the loop, greeted or not, in order of arrival
  TaskGroup tasks;
};

/// A greeted connection of a server: reads requests, runs each as a coroutine, sends the replies as they come, whatever
/// gathered in one go. What is read but not yet answered is bounded in number and bytes; beyond that it stops reading,
/// so that a peer that does not take its replies slows down nobody but itself.
class ServerSession : public std::enable_shared_from_this<ServerSession> {
 public:
  /// `connection` belongs to the loop already. `methods` and `loop` outlive the session.
  ServerSession(const MethodTable& methods, ServerLoop& loop, std::unique_ptr<Connection> connection,
                Greeting greeting);

  /// Answers the hello with `hello_reply`, then serves until the connection ends; returns before the last handlers do.
  static Task<void> Run(std::shared_ptr<ServerSession> self, Frame hello_reply);

 private:
  /// Requests and the replies to them, in bytes, that one connection may hold in memory.
  static constexpr std::size_t kMaxBytesInFlight = 64 * 1024 * 1024;

  static Task<void> Answer(std::shared_ptr<ServerSession> self, Frame request);
  static Task<void> Write(std::shared_ptr<ServerSession> self);

  Task<Error> ReadRequests();
  Task<Result<RpcResponse>> Handle(Frame frame);
  void QueueReply(Frame reply, std::size_t request_bytes);
  void WakeWriter();
  bool AtLimit() const;

  const MethodTable& methods_;
  ServerLoop& loop_;
  std::unique_ptr<Connection> connection_;
  const Greeting greeting_;
  const std::string peer_;

  std::size_t requests_in_flight_ = 0;  // until the reply is with the kernel
  std::size_t bytes_in_flight_ = 0;
  Waiter reader_wait_;  // for room

  struct Reply {
    Frame frame;
    std::size_t request_bytes = 0;
  };
  std::vector<Reply> replies_;
  bool stop_writing_ = false;
  bool writing_ = false;
  bool flush_posted_ = false;
  Waiter writer_wait_;
  Waiter writer_ended_;
};

}  // namespace gabion
