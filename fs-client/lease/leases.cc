#include "fs-client/lease/leases.h"

#include <utility>

namespace gabion {

Task<void> Leases::End() {
  LeaseCache::KernelWork work = cache_.End();
  (void)co_await Forget(std::move(work));
}

Task<void> Leases::Extend(TimePoint valid_until, TimePoint now) {
  LeaseCache::KernelWork work = cache_.Extend(valid_until, now);
  if (!work.empty()) (void)co_await Forget(std::move(work));
}

Task<void> Leases::Changed(const std::string& header) {
  proto::NotedReply noted;
  LeaseCache::KernelWork work;
  if (noted.ParseFromString(header)) work = cache_.Changed(noted.note());
  if (!work.empty()) (void)co_await Forget(std::move(work));
}

Task<void> Leases::Unsure() {
  LeaseCache::KernelWork work = cache_.ForgetKnown();
  if (!work.empty()) (void)co_await Forget(std::move(work));
}

Task<bool> Leases::Forget(LeaseCache::KernelWork work) {
  bool done = true;
  if (work.entries) done = co_await kernel_.DropEntries();
  for (Ino ino : work.attributes) {
    bool dropped = co_await kernel_.DropAttributes(ino);
    done = done && dropped;
  }
  co_return done;
}

std::uint64_t Leases::EntryForNs(Ino directory, const proto::LeaseNote& note, TimePoint now) {
  if (!kernel_.can_drop_entries()) return 0;
  return static_cast<std::uint64_t>(cache_.EntryFor(directory, note, now).count());
}

}  // namespace gabion
