#pragma once

namespace gabion {

/// Prints `condition` with its place and aborts. A failed CHECK is a broken invariant of our own code, in release
/// builds too: going on could lose data. Bad input (disk, network, user) is never checked with it; that is an Error.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace gabion

/// Evaluates `condition` once, in every build.
#define CHECK(condition) ((condition) ? static_cast<void>(0) : ::gabion::CheckFailed(#condition, __FILE__, __LINE__))
