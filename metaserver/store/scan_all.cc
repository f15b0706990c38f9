#include "metaserver/store/scan_all.h"

namespace gabion {

namespace {

constexpr std::size_t kLoadEntries = 128;
constexpr int kLoadsWithoutProgressMax = 16;

}  // namespace

Task<Result<void>> ScanAll(KvStore& kv, std::string prefix, const RecordVisitor& visit) {
  const std::string last = PrefixEnd(prefix);
  std::string first = prefix;  // what is before it has been visited
  for (int without_progress = 0; without_progress < kLoadsWithoutProgressMax; ++without_progress) {
    Result<void> visited;
    const std::string from = first;  // stays as it is while the scan runs
    Result<void> scanned = kv.Scan(from, last, [&](std::string_view key, std::string_view value) {
      visited = visit(key, value);
      first.assign(key);
      first.push_back('\0');
      without_progress = 0;
      return visited.has_value();
    });
    CO_TRY(visited);
    if (scanned) co_return Result<void>();
    if (scanned.error().code() != ErrorCode::kWouldBlock) co_return scanned.error();
    Result<void> loaded = co_await kv.LoadRange(first, last, kLoadEntries);
    CO_TRY(loaded);
  }
  co_return Error(ErrorCode::kIo, "the store cannot keep what it loads in memory; its cache is too small for a scan");
}

}  // namespace gabion
