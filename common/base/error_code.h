#pragma once

#include <cstdint>
#include <string_view>

namespace gabion {

/// What went wrong, for programs. The numbers and what each means to a caller are proto/common.proto's; they travel in
/// the status field of a response frame.
enum class ErrorCode : std::uint16_t {
  kOk = 0,
  kNotFound = 1,
  kExists = 2,
  kNotDirectory = 3,
  kIsDirectory = 4,
  kNotEmpty = 5,
  kPermissionDenied = 6,
  kNotPermitted = 7,
  kInvalidArgument = 8,
  kNameTooLong = 9,
  kNoSpace = 10,
  kQuotaExceeded = 11,
  kTooLarge = 12,
  kTooManyLinks = 13,
  kNoAttribute = 14,
  kRange = 15,
  kReadOnly = 16,
  kBusy = 17,
  kNotSupported = 18,
  kStale = 19,
  kIo = 20,
  kArgumentTooLong = 21,
  kLocked = 22,
  kDeadlock = 23,
  kNoLocks = 24,
  kLeaseLost = 25,
  kResumed = 26,
  kNameChanged = 27,
  kUnavailable = 40,
  kConnectionLost = 41,
  kDeadlineExceeded = 42,
  kStaleEpoch = 43,
  kOverloaded = 44,
  kHeld = 45,
  kSessionExpired = 60,
  kProtocol = 61,
  kVersionMismatch = 62,
  kUnknownMethod = 63,
  kUnauthenticated = 64,
  kCancelled = 65,
  kCorrupt = 80,
  kWouldBlock = 81,
};

/// The code's name in logs and messages: "NOT_FOUND". "UNKNOWN" for a number from a newer version.
std::string_view ToString(ErrorCode code);

/// Whether the same call may succeed later, unchanged: the peer is away, reconfigures, or sees another cluster map.
bool IsRetryable(ErrorCode code);

}  // namespace gabion
