#include "fs-client/io/read_race.h"

namespace gabion {

ReadRace::Entry::Entry(std::shared_ptr<ReadRace> race, std::size_t round) : race_(std::move(race)), round_(round) {
  ++race_->running_;
}

ReadRace::Entry::~Entry() {
  if (race_ == nullptr) return;
  --race_->running_;
  race_->finished_.push_back({round_, Error(ErrorCode::kCancelled, "this side is stopping")});
}

void ReadRace::Entry::Finish(Result<Slice> blocks) {
  const std::shared_ptr<ReadRace> race = std::move(race_);
  --race->running_;
  race->finished_.push_back({round_, std::move(blocks)});
  race->wait_.Resume();
}

std::optional<ReadRace::Finish> ReadRace::Take() {
  if (finished_.empty()) return std::nullopt;
  std::optional<ReadRace::Finish> first = std::move(finished_.front());
  finished_.pop_front();
  return first;
}

}  // namespace gabion
