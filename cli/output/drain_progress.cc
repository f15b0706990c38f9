#include "cli/output/drain_progress.h"

#include <fmt/core.h>

#include "cli/output/format.h"

namespace gabion {

void DrainProgress::Take(Seconds at, const proto::ServerEntry& server) {
  if (samples_.empty() || server.pgs() != server_.pgs() || server.drain_bytes_left() != server_.drain_bytes_left())
    progress_at_ = at;
  server_ = server;
  samples_.push_back({at, server.drain_bytes_left()});
  while (at - samples_.front().at > kRateTime) samples_.pop_front();
}

std::uint64_t DrainProgress::BytesPerSecond() const {
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  // More may be left than before: clients write meanwhile.
  if (last.at == first.at || last.bytes_left >= first.bytes_left) return 0;
  return (first.bytes_left - last.bytes_left) / static_cast<std::uint64_t>((last.at - first.at).count());
}

std::string DrainProgress::Line() const {
  std::string line =
      fmt::format("chunkserver {}: {}, {} left", server_.server_id(), FormatCountOf(server_.pgs(), "placement group"),
                  FormatBytes(server_.drain_bytes_left()));
  if (const Seconds still = samples_.back().at - progress_at_; still >= kStuckTime) {
    return line +
           fmt::format("; nothing has moved for {}: is there room, and a server for each copy? See gabion status",
                       FormatAge(static_cast<std::uint64_t>(still.count())));
  }
  const std::uint64_t bytes_per_second = BytesPerSecond();
  if (bytes_per_second == 0) return line;
  return line + fmt::format(", {}/s, about {}", FormatBytes(bytes_per_second),
                            FormatAge(server_.drain_bytes_left() / bytes_per_second));
}

}  // namespace gabion
