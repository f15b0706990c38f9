#pragma once

namespace gabion {

// Limits of messages that both ends count on, and that no field says.

/// Chunks that one CommitWriteRequest tells of; what is beyond them nobody takes notice of.
inline constexpr int kMaxWrittenChunks = 64;

}  // namespace gabion
