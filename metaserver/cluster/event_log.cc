#include "metaserver/cluster/event_log.h"

#include <algorithm>
#include <utility>

#include "metaserver/store/key_codec.h"
#include "metaserver/store/record_codec.h"
#include "metaserver/store/scan_all.h"

namespace gabion {

records::Event EventAbout(ServerId server, std::string kind, std::string text, bool warning) {
  records::Event event;
  event.set_server_id(server.value());
  event.set_kind(std::move(kind));
  event.set_text(std::move(text));
  event.set_warning(warning);
  return event;
}

Task<Result<void>> EventLog::Load(KvStore& kv) {
  RecordVisitor take = [&](std::string_view key, std::string_view value) -> Result<void> {
    Numbered numbered;
    TRY_ASSIGN(numbered.number, DecodeEventKey(key));
    TRY(DecodeRecordInto(key, value, numbered.event));
    events_.push_back(std::move(numbered));
    return {};
  };
  Result<void> scanned = co_await ScanAll(kv, TablePrefix(Table::kEvent), take);
  co_return scanned;
}

void EventLog::Add(records::Event event, WriteBatch& batch) {
  const std::uint64_t number = events_.empty() ? 1 : events_.back().number + 1;
  batch.Put(EventKey(number), EncodeRecord(event));
  events_.push_back({number, std::move(event)});
  while (events_.size() > kMaxEvents) {
    batch.Delete(EventKey(events_.front().number));
    events_.pop_front();
  }
}

std::vector<EventLog::Numbered> EventLog::Last(std::size_t count) const {
  const auto wanted = static_cast<std::ptrdiff_t>(std::min(count, events_.size()));
  return {events_.end() - wanted, events_.end()};
}

}  // namespace gabion
