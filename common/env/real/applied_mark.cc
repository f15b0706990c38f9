#include "common/env/real/applied_mark.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "common/base/check.h"
#include "common/env/real/os_error.h"

namespace gabion {
namespace {

constexpr std::size_t kMaxMarkBytes = 128;
constexpr std::size_t kDigits = 20;

std::string NumberText(CommitSeq applied) {
  return fmt::format("{:0{}}", applied.value(), kDigits);
}

/// What follows the number.
std::string RestOf(const std::string& boot_id) {
  return fmt::format(" {}\n", boot_id);
}

std::optional<CommitSeq> ParseMark(std::string_view text, const std::string& boot_id) {
  if (text.size() < kDigits || text.substr(kDigits) != RestOf(boot_id)) return std::nullopt;
  std::uint64_t applied = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + kDigits, applied);
  if (error != std::errc() || end != text.data() + kDigits) return std::nullopt;
  return CommitSeq(applied);
}

}  // namespace

Result<std::unique_ptr<AppliedMark>> AppliedMark::Open(const std::string& path, const std::string& boot_id) {
  const std::string empty = NumberText(CommitSeq()) + RestOf(boot_id);
  CHECK(empty.size() <= kMaxMarkBytes);
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return OsError("opening " + path, errno);
  std::array<char, kMaxMarkBytes> text{};
  const ssize_t length = ::pread(file.get(), text.data(), text.size(), 0);
  if (length < 0) return OsError("reading " + path, errno);
  const std::optional<CommitSeq> before = ParseMark({text.data(), static_cast<std::size_t>(length)}, boot_id);
  if (!before) {
    if (::ftruncate(file.get(), 0) != 0) return OsError("writing " + path, errno);
    const ssize_t written = ::pwrite(file.get(), empty.data(), empty.size(), 0);
    if (written < 0) return OsError("writing " + path, errno);
  }
  return std::unique_ptr<AppliedMark>(new AppliedMark(std::move(file), before));
}

void AppliedMark::Raise(CommitSeq applied) {
  const std::lock_guard lock(mutex_);
  if (applied <= applied_) return;
  applied_ = applied;
  const std::string text = NumberText(applied);
  [[maybe_unused]] const ssize_t written = ::pwrite(file_.get(), text.data(), text.size(), 0);
}

}  // namespace gabion
