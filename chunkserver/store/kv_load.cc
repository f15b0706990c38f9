#include "chunkserver/store/kv_load.h"

namespace gabion {
namespace {

constexpr std::size_t kLoadEntries = 1024;

}  // namespace

Error LoadGaveUp() {
  return {ErrorCode::kIo, "the index cannot keep what it loads in memory; its cache is too small for what is going on"};
}

Task<Result<std::optional<std::string>>> GetLoaded(KvStore& index, std::string key) {
  for (int attempt = 0; attempt < kLoadAttemptsMax; ++attempt) {
    Result<std::optional<std::string>> value = index.Get(key);
    if (value || value.error().code() != ErrorCode::kWouldBlock) co_return value;
    Result<void> loaded = co_await index.Load(key);
    if (!loaded) co_return loaded.error();
  }
  co_return LoadGaveUp();
}

Task<Result<void>> ScanLoaded(KvStore& index, std::string first, std::string last, KvStore::Visitor visit) {
  int attempts_without_progress = 0;
  bool ended = false;
  KvStore::Visitor step = [&](std::string_view key, std::string_view value) {
    attempts_without_progress = 0;
    first.assign(key);
    first.push_back('\0');  // the next key there can be
    ended = !visit(key, value);
    return !ended;
  };
  while (attempts_without_progress++ < kLoadAttemptsMax) {
    std::string from = first;
    Result<void> scanned = index.Scan(from, last, step);
    if (scanned || ended || scanned.error().code() != ErrorCode::kWouldBlock) co_return scanned;
    Result<void> loaded = co_await index.LoadRange(first, last, kLoadEntries);
    if (!loaded) co_return loaded.error();
  }
  co_return LoadGaveUp();
}

}  // namespace gabion
