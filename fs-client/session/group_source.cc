#include "fs-client/session/group_source.h"

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

namespace gabion {
namespace {

class ProcGroupSource final : public GroupSource {
 public:
  std::vector<std::uint32_t> GroupsOf(const Caller& caller) override {
    if (caller.pid == 0) return {};
    std::ifstream file("/proc/" + std::to_string(caller.pid) + "/status");
    std::ostringstream text;
    text << file.rdbuf();
    return ParseProcStatusGroups(text.view());
  }
};

}  // namespace

std::vector<std::uint32_t> ParseProcStatusGroups(std::string_view status) {
  constexpr std::string_view kField = "\nGroups:";
  std::size_t at = status.find(kField);
  if (at == std::string_view::npos) return {};
  std::string_view line = status.substr(at + kField.size());
  line = line.substr(0, line.find('\n'));

  std::vector<std::uint32_t> groups;
  while (groups.size() < kMaxGroups) {
    std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) break;
    line.remove_prefix(start);
    std::uint32_t group = 0;
    auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), group);
    if (error != std::errc()) break;
    groups.push_back(group);
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  }
  return groups;
}

std::shared_ptr<GroupSource> MakeProcGroupSource() {
  return std::make_shared<ProcGroupSource>();
}

}  // namespace gabion
