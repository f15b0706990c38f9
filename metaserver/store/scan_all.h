#pragma once

#include <string>

#include "common/env/kv_store.h"

namespace gabion {

/// Visits every record whose key begins with `prefix`, in order, loading what is on disk: for start-up, where the whole
/// of a small table is read. `visit(key, value)` gives a Result<void>, of which the first error ends the scan. It
/// outlives the call. Errors: the store's, the visitor's.
using RecordVisitor = std::function<Result<void>(std::string_view key, std::string_view value)>;
Task<Result<void>> ScanAll(KvStore& kv, std::string prefix, const RecordVisitor& visit);

}  // namespace gabion
