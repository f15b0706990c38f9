#include "fs-client/fuse/uring_queues.h"

#include <charconv>
#include <string>

#include "common/base/check.h"

namespace gabion::fuse {
namespace {

/// The kernel's own limit is 8192 on the largest machines.
constexpr unsigned kMaxCpu = 65535;

/// Takes a number off the front of `text`; false if there is none.
bool TakeNumber(std::string_view& text, unsigned& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > kMaxCpu) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool TakeCharacter(std::string_view& text, char character) {
  if (text.empty() || text.front() != character) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::vector<std::vector<std::uint16_t>> AssignQueues(unsigned queue_count, const std::vector<int>& loop_cpus) {
  CHECK(!loop_cpus.empty());
  std::vector<std::vector<std::uint16_t>> queues(loop_cpus.size());
  std::size_t next = 0;
  for (unsigned queue = 0; queue < queue_count; ++queue) {
    std::size_t loop = 0;
    while (loop < loop_cpus.size() && loop_cpus[loop] != static_cast<int>(queue)) ++loop;
    if (loop == loop_cpus.size()) loop = next++ % loop_cpus.size();
    queues[loop].push_back(static_cast<std::uint16_t>(queue));
  }
  return queues;
}

Result<unsigned> CountCpus(std::string_view list) {
  std::string_view rest = list.substr(0, list.find('\n'));
  unsigned count = 0;
  do {
    unsigned first = 0;
    if (!TakeNumber(rest, first)) return {ErrorCode::kInvalidArgument, "no list of CPUs: " + std::string(list)};
    unsigned last = first;
    if (TakeCharacter(rest, '-') && (!TakeNumber(rest, last) || last < first)) {
      return {ErrorCode::kInvalidArgument, "no list of CPUs: " + std::string(list)};
    }
    count += last - first + 1;
  } while (TakeCharacter(rest, ','));
  if (!rest.empty()) return {ErrorCode::kInvalidArgument, "no list of CPUs: " + std::string(list)};
  return count;
}

}  // namespace gabion::fuse
