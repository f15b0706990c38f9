#include "metaserver/store/load_value.h"

namespace gabion {

Task<Result<std::optional<std::string>>> LoadValue(KvStore& kv, std::string key) {
  constexpr int kMaxLoads = 8;
  for (int i = 0; i < kMaxLoads; ++i) {
    Result<std::optional<std::string>> value = kv.Get(key);
    if (value || value.error().code() != ErrorCode::kWouldBlock) co_return value;
    Result<void> loaded = co_await kv.Load(key);
    CO_TRY(loaded);
  }
  co_return Error(ErrorCode::kIo, "the metadata store does not keep in memory what it loaded");
}

}  // namespace gabion
