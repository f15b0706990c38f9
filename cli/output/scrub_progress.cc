#include "cli/output/scrub_progress.h"

#include <fmt/core.h>

#include "cli/output/format.h"

namespace gabion {

void ScrubProgress::Take(Seconds at, const ServerEntries& servers, std::size_t unfinished) {
  bytes_ = 0;
  std::uint64_t done = 0;
  for (const proto::ServerEntry& server : servers) {
    bytes_ += server.scrub().pass_bytes();
    done += server.scrub().pass_bytes_done();
  }
  if (samples_.empty() || done != samples_.back().bytes_done || unfinished != unfinished_) progress_at_ = at;
  unfinished_ = unfinished;
  samples_.push_back({at, done});
  while (at - samples_.front().at > kRateTime) samples_.pop_front();
}

std::uint64_t ScrubProgress::BytesPerSecond() const {
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  // Less may be done than before: a server that was restarted begins anew.
  if (last.at == first.at || last.bytes_done <= first.bytes_done) return 0;
  return (last.bytes_done - first.bytes_done) / static_cast<std::uint64_t>((last.at - first.at).count());
}

std::string ScrubProgress::Line() const {
  const std::uint64_t done = samples_.back().bytes_done;
  std::string line = fmt::format("scrub: {} of {}, {} not done", FormatShare(done, bytes_), FormatBytes(bytes_),
                                 FormatCountOf(unfinished_, "chunkserver"));
  if (const Seconds still = samples_.back().at - progress_at_; still >= kStuckTime) {
    return line + fmt::format("; nothing has moved for {}: are all of them up? See gabion scrub status",
                              FormatAge(static_cast<std::uint64_t>(still.count())));
  }
  const std::uint64_t bytes_per_second = BytesPerSecond();
  if (bytes_per_second == 0 || done > bytes_) return line;
  return line +
         fmt::format(", {}/s, about {}", FormatBytes(bytes_per_second), FormatAge((bytes_ - done) / bytes_per_second));
}

}  // namespace gabion
