#include "metaserver/check/table_cursor.h"

#include <utility>

namespace gabion {

TableCursor::TableCursor(KvSnapshot& snapshot, std::string prefix)
    : snapshot_(snapshot), first_(std::move(prefix)), last_(PrefixEnd(first_)) {}

Task<Result<void>> TableCursor::ReadPage() {
  Result<KvPage> page = co_await snapshot_.Read(first_, last_, kPageRecords);
  CO_TRY_ASSIGN(page_, std::move(page));
  next_ = 0;
  if (!page_.records.empty()) {
    first_ = page_.records.back().key;
    first_.push_back('\0');  // the least key after it
  }
  co_return Result<void>();
}

}  // namespace gabion
