#pragma once

#include <optional>
#include <string>

#include "common/env/kv_store.h"

namespace gabion {

/// KvStore::Get of a key that may be on disk only, for where nothing else waits for the answer. Errors: the store's;
/// kIo if it does not keep in memory what it loaded.
Task<Result<std::optional<std::string>>> LoadValue(KvStore& kv, std::string key);

}  // namespace gabion
