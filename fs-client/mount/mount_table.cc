#include "fs-client/mount/mount_table.h"

#include <fstream>
#include <iterator>

namespace gabion {
namespace {

/// The next space-separated field of `line`.
std::string_view TakeField(std::string_view& line) {
  std::size_t space = line.find(' ');
  std::string_view field = line.substr(0, space);
  line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  return field;
}

bool IsOctal(std::string_view text) {
  return text.size() == 3 && text.find_first_not_of("01234567") == std::string_view::npos;
}

/// The kernel writes blanks and backslashes as \ooo.
std::string Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && IsOctal(text.substr(i + 1, 3))) {
      plain.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

}  // namespace

std::optional<MountEntry> FindMount(std::string_view mountinfo, std::string_view mountpoint) {
  std::optional<MountEntry> found;
  while (!mountinfo.empty()) {
    std::size_t end = mountinfo.find('\n');
    std::string_view line = mountinfo.substr(0, end);
    mountinfo = end == std::string_view::npos ? std::string_view() : mountinfo.substr(end + 1);
    TakeField(line);  // id
    TakeField(line);  // parent's id
    MountEntry entry;
    entry.device = TakeField(line);
    TakeField(line);  // root
    if (Unescape(TakeField(line)) != mountpoint) continue;
    std::string_view field;
    do {
      field = TakeField(line);  // options and optional fields up to a hyphen
    } while (!line.empty() && field != "-");
    entry.type = TakeField(line);
    entry.source = Unescape(TakeField(line));
    found = std::move(entry);  // a later line is mounted on top
  }
  return found;
}

std::optional<MountEntry> FindMountNow(std::string_view mountpoint) {
  std::ifstream file("/proc/self/mountinfo");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return FindMount(text, mountpoint);
}

}  // namespace gabion
