#include "common/env/kv_store.h"

#include <iterator>
#include <utility>

namespace gabion {

void WriteBatch::Append(WriteBatch other) {
  if (entries_.empty()) {
    entries_ = std::move(other.entries_);
    return;
  }
  entries_.insert(entries_.end(), std::make_move_iterator(other.entries_.begin()),
                  std::make_move_iterator(other.entries_.end()));
}

std::string PrefixEnd(std::string_view prefix) {
  // The shortest string that is greater than everything with the prefix: the last byte that can be raised is. Empty,
  // which Scan takes as no end, if none can.
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace gabion
