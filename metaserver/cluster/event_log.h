#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/env/kv_store.h"
#include "metaserver/store/records.pb.h"

namespace gabion {

/// `kind` is a word for programs, `text` a sentence for people; a warning is something that somebody should look at.
records::Event EventAbout(ServerId server, std::string kind, std::string text, bool warning = false);

/// What happened to the cluster, and why: the last of it, for administrators. One caller at a time.
class EventLog {
 public:
  static constexpr std::size_t kMaxEvents = 10'000;

  struct Numbered {
    std::uint64_t number = 0;  // in the order of events
    records::Event event;
  };

  /// Reads the store. Errors: those of ScanAll.
  Task<Result<void>> Load(KvStore& kv);
  /// Into `batch`, so that what is said has happened as surely as what else is in there. Drops the oldest if there are
  /// too many.
  void Add(records::Event event, WriteBatch& batch);
  /// The last `count`, the newest last.
  std::vector<Numbered> Last(std::size_t count) const;

 private:
  std::deque<Numbered> events_;
};

}  // namespace gabion
