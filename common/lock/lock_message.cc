#include "common/lock/lock_message.h"

#include <fmt/format.h>

namespace gabion {

Result<RangeLock> FromMessage(SessionId session, const proto::FileLock& message) {
  const bool is_known = message.kind() == proto::LOCK_KIND_POSIX || message.kind() == proto::LOCK_KIND_FLOCK;
  if (!is_known || message.begin_bytes() > message.last_bytes()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("there is no lock of kind {} from byte {} to {}", static_cast<int>(message.kind()),
                             message.begin_bytes(), message.last_bytes()));
  }
  RangeLock lock;
  lock.owner = {session.value(), static_cast<LockKind>(message.kind()), message.owner()};
  lock.exclusive = message.mode() == proto::LOCK_MODE_EXCLUSIVE;
  lock.begin = message.begin_bytes();
  lock.last = message.last_bytes();
  lock.pid = message.pid();
  return lock;
}

proto::FileLock ToMessage(Ino ino, const RangeLock& lock) {
  proto::FileLock message;
  message.set_ino(ino.value());
  message.set_kind(static_cast<proto::LockKind>(lock.owner.kind));
  message.set_mode(lock.exclusive ? proto::LOCK_MODE_EXCLUSIVE : proto::LOCK_MODE_SHARED);
  message.set_owner(lock.owner.number);
  message.set_begin_bytes(lock.begin);
  message.set_last_bytes(lock.last);
  message.set_pid(lock.pid);
  return message;
}

}  // namespace gabion
