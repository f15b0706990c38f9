#pragma once

#include <optional>
#include <string>

#include "common/env/kv_store.h"

namespace gabion {

/// How often a look-up asks again after loading what it needs: what is loaded stays "for a while", which under pressure
/// may be too short once or twice.
inline constexpr int kLoadAttemptsMax = 16;

Error LoadGaveUp();

/// KvStore::Get that waits for the disk if it must.
Task<Result<std::optional<std::string>>> GetLoaded(KvStore& index, std::string key);

/// KvStore::Scan that waits for the disk if it must: every entry of [first, last) is visited once, in order, until
/// `visit` returns false. `visit` may be called from different resumptions, but never twice for one key.
Task<Result<void>> ScanLoaded(KvStore& index, std::string first, std::string last, KvStore::Visitor visit);

}  // namespace gabion
