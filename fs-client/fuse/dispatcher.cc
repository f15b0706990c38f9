#include "fs-client/fuse/dispatcher.h"

#include <cerrno>
#include <string>
#include <variant>

#include "common/base/log.h"
#include "fs-client/fuse/launch.h"
#include "fs-client/fuse/operations.h"

namespace gabion::fuse {
namespace {

constexpr Duration kLogInterval = std::chrono::seconds(1);

/// Operations that end something and must run whatever happened to the caller.
bool MustRun(const Operation& operation) {
  return std::holds_alternative<Flush>(operation) || std::holds_alternative<Release>(operation) ||
         std::holds_alternative<ReleaseDir>(operation);
}

/// Whether any signal ends it; others go on until their process is being killed.
bool WaitsForLock(const Operation& operation) {
  const auto* lock = std::get_if<SetLock>(&operation);
  return lock != nullptr && lock->wait;
}

bool HasNoReply(std::uint32_t opcode) {
  return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

}  // namespace

void RateLimitedLog::Warn(const std::string& line) {
  TimePoint now = clock_.Now();
  if (now < next_) {
    ++left_out_;
    return;
  }
  next_ = now + kLogInterval;
  if (left_out_ == 0) {
    LogWarning("{}", line);
  } else {
    LogWarning("{} ({} more of these before)", line, left_out_);
  }
  left_out_ = 0;
}

Dispatcher::Dispatcher(Env& env, Vfs& vfs, Dialect dialect, std::function<void(std::uint64_t unique)> on_interrupt)
    : env_(env), vfs_(vfs), dialect_(dialect), on_interrupt_(std::move(on_interrupt)), malformed_log_(env.clock) {}

void Dispatcher::OnRequest(const RequestBytes& bytes, Reply reply) {
  if (HasNoReply(bytes.header.opcode)) reply.Dismiss();
  Result<Operation> operation = Decode(bytes, dialect_);
  if (!operation) {
    malformed_log_.Warn(operation.error().message());
    if (!HasNoReply(bytes.header.opcode)) reply.Fail(EINVAL);
    return;
  }
  // Nodes are inode numbers and handles carry no pointer, so that there is nothing to forget.
  if (std::holds_alternative<Forget>(*operation)) return;
  if (const auto* interrupt = std::get_if<Interrupt>(&*operation)) return on_interrupt_(interrupt->unique);
  if (std::holds_alternative<Destroy>(*operation)) return void(reply.Ok());
  if (std::holds_alternative<Unsupported>(*operation)) return reply.Fail(ENOSYS);
  if (std::holds_alternative<Init>(*operation)) return reply.Fail(EIO);  // the handshake is over

  RequestHeader header = HeaderOf(bytes);
  if (requests_.TakeEarlyInterrupt(header.unique) && !MustRun(*operation) &&
      (WaitsForLock(*operation) || IsDying(header.pid))) {
    return reply.Fail(EINTR);
  }
  RequestTable::Place place = requests_.Begin(header.unique, header.pid);
  asio::cancellation_slot slot = place.slot();
  Launch(env_.executor, slot, Serve(vfs_, Request{header, std::move(reply), std::move(place)}, *operation));
}

void Dispatcher::OnGarbage(const Error& error) {
  malformed_log_.Warn(error.message());
}

}  // namespace gabion::fuse
