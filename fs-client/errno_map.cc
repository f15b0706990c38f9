#include "fs-client/errno_map.h"

#include <cerrno>

namespace gabion {

int ToErrno(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOk:
      return 0;
    case ErrorCode::kNotFound:
      return ENOENT;
    case ErrorCode::kExists:
      return EEXIST;
    case ErrorCode::kNotDirectory:
      return ENOTDIR;
    case ErrorCode::kIsDirectory:
      return EISDIR;
    case ErrorCode::kNotEmpty:
      return ENOTEMPTY;
    case ErrorCode::kPermissionDenied:
      return EACCES;
    case ErrorCode::kNotPermitted:
      return EPERM;
    case ErrorCode::kInvalidArgument:
      return EINVAL;
    case ErrorCode::kNameTooLong:
      return ENAMETOOLONG;
    case ErrorCode::kNoSpace:
      return ENOSPC;
    case ErrorCode::kQuotaExceeded:
      return EDQUOT;
    case ErrorCode::kTooLarge:
      return EFBIG;
    case ErrorCode::kTooManyLinks:
      return EMLINK;
    case ErrorCode::kNoAttribute:
      return ENODATA;
    case ErrorCode::kRange:
      return ERANGE;
    case ErrorCode::kReadOnly:
      return EROFS;
    case ErrorCode::kBusy:
      return EBUSY;
    // Never ENOSYS, from which the kernel concludes that the operation does not exist at all.
    case ErrorCode::kNotSupported:
      return EOPNOTSUPP;
    case ErrorCode::kStale:
      return ESTALE;
    case ErrorCode::kArgumentTooLong:
      return E2BIG;
    case ErrorCode::kLocked:
      return EAGAIN;
    case ErrorCode::kDeadlock:
      return EDEADLK;
    case ErrorCode::kNoLocks:
      return ENOLCK;
    case ErrorCode::kSessionExpired:
      return ESTALE;
    case ErrorCode::kUnauthenticated:
      return EACCES;
    case ErrorCode::kCancelled:
      return EINTR;
    // The cluster could not do it and the Vfs gave up waiting, or an invariant of ours is broken: programs know EIO.
    case ErrorCode::kIo:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kResumed:
    case ErrorCode::kNameChanged:
    case ErrorCode::kUnavailable:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kStaleEpoch:
    case ErrorCode::kOverloaded:
    case ErrorCode::kHeld:
    case ErrorCode::kProtocol:
    case ErrorCode::kVersionMismatch:
    case ErrorCode::kUnknownMethod:
    case ErrorCode::kCorrupt:
    case ErrorCode::kWouldBlock:
      return EIO;
  }
  return EIO;  // a number from a newer version
}

}  // namespace gabion
