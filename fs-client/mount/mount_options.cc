#include "fs-client/mount/mount_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace gabion {
namespace {

constexpr std::uint64_t kMinMemoryBytes = 16ull << 20;
constexpr unsigned kMaxLoops = 1024;
constexpr unsigned kMaxSpinUs = 10'000;
constexpr unsigned kMaxReadaheadKb = 1 << 20;
constexpr unsigned kMaxConnectTimeoutS = 3600;
constexpr unsigned kMaxSoftS = 86'400;

using Setter = Result<void> (*)(MountOptions& options, std::string_view value);

Result<unsigned> ParseNumber(std::string_view text, unsigned min, unsigned max) {
  unsigned number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) {
    return {ErrorCode::kInvalidArgument,
            "'" + std::string(text) + "' is no number from " + std::to_string(min) + " to " + std::to_string(max)};
  }
  return number;
}

Result<void> SetTransport(MountOptions& options, std::string_view value) {
  if (value == "auto") {
    options.transport = TransportChoice::kAuto;
  } else if (value == "uring") {
    options.transport = TransportChoice::kUring;
  } else if (value == "dev") {
    options.transport = TransportChoice::kDevice;
  } else {
    return {ErrorCode::kInvalidArgument, "no transport '" + std::string(value) + "'; there are: auto, uring, dev"};
  }
  return {};
}

Result<void> SetMemory(MountOptions& options, std::string_view value) {
  TRY_ASSIGN(options.memory_bytes, ParseSize(value));
  if (options.memory_bytes < kMinMemoryBytes) return {ErrorCode::kInvalidArgument, "at least 16M are needed"};
  return {};
}

Result<void> SetLoops(MountOptions& options, std::string_view value) {
  TRY_ASSIGN(options.loops, ParseNumber(value, 0, kMaxLoops));
  return {};
}

Result<void> SetSpin(MountOptions& options, std::string_view value) {
  TRY_ASSIGN(unsigned microseconds, ParseNumber(value, 0, kMaxSpinUs));
  options.spin = std::chrono::microseconds(microseconds);
  return {};
}

Result<void> SetLogFile(MountOptions& options, std::string_view value) {
  if (value.empty() || value.front() != '/') {
    return {ErrorCode::kInvalidArgument, "'" + std::string(value) + "' is no absolute path"};
  }
  options.log_file = value;
  return {};
}

Result<void> SetLogLevel(MountOptions& options, std::string_view value) {
  TRY_ASSIGN(options.log_level, ParseLogLevel(value));
  return {};
}

Result<void> SetReadahead(MountOptions& options, std::string_view value) {
  TRY_ASSIGN(options.readahead_kb, ParseNumber(value, 0, kMaxReadaheadKb));
  return {};
}

Result<void> SetConnectTimeout(MountOptions& options, std::string_view value) {
  TRY_ASSIGN(unsigned seconds, ParseNumber(value, 1, kMaxConnectTimeoutS));
  options.connect_timeout = std::chrono::seconds(seconds);
  return {};
}

Result<void> SetHard(MountOptions& options, std::string_view) {
  options.soft = Duration(0);
  return {};
}

Result<void> SetSoft(MountOptions& options, std::string_view value) {
  TRY_ASSIGN(unsigned seconds, ParseNumber(value, 1, kMaxSoftS));
  options.soft = std::chrono::seconds(seconds);
  return {};
}

Result<void> SetLocks(MountOptions& options, std::string_view value) {
  if (value != "local" && value != "cluster") {
    return {ErrorCode::kInvalidArgument, "'" + std::string(value) + "' is neither local nor cluster"};
  }
  options.cluster_locks = value == "cluster";
  return {};
}

Result<void> SetAllowOther(MountOptions& options, std::string_view) {
  options.allow_other = true;
  return {};
}

Result<void> SetNoAllowOther(MountOptions& options, std::string_view) {
  options.allow_other = false;
  return {};
}

struct OwnOption {
  std::string_view name;  // with '=' if it takes a value
  Setter set;
  std::string_view help;
};

constexpr std::array kOwnOptions = {
    OwnOption{
        "transport=", SetTransport,
        "auto, uring (FUSE over io_uring) or dev (/dev/fuse); auto takes uring where the kernel has it turned on"},
    OwnOption{"mem=", SetMemory, "memory for gathered writes and read-ahead, like 512M (default 256M)"},
    OwnOption{"loops=", SetLoops, "threads, 0 for one a CPU (default)"},
    OwnOption{"spin_us=", SetSpin, "how long a thread looks for work before it sleeps (default 0)"},
    OwnOption{"log_file=", SetLogFile, "where the log goes (default: see the manual)"},
    OwnOption{"log_level=", SetLogLevel, "debug, info, warning or error (default info)"},
    OwnOption{"readahead_kb=", SetReadahead,
              "what the kernel reads ahead in a stream; set by root only (default 4096)"},
    OwnOption{"connect_timeout=", SetConnectTimeout, "seconds to wait for a metaserver when mounting (default 10)"},
    OwnOption{"hard", SetHard, "calls wait until the servers are back, with a line in the log (default)"},
    OwnOption{"soft=", SetSoft, "seconds after which a call that servers do not answer fails with EIO"},
    OwnOption{"locks=", SetLocks,
              "cluster: flock and fcntl locks hold on all mounts (default); local: on this one only"},
    OwnOption{"allow_other", SetAllowOther, "users other than the mounting one may come in (default for root)"},
    OwnOption{"noallow_other", SetNoAllowOther, "they may not"},
};

/// What the kernel or fusermount3 understands.
constexpr std::array<std::string_view, 14> kKernelOptions = {"ro",      "rw",      "suid",   "nosuid",    "dev",
                                                             "nodev",   "exec",    "noexec", "sync",      "async",
                                                             "dirsync", "noatime", "atime",  "nodiratime"};
constexpr std::array<std::string_view, 4> kKernelPrefixes = {"context=", "fscontext=", "defcontext=", "rootcontext="};

/// For mount(8), or what is the case anyway.
constexpr std::array<std::string_view, 18> kIgnoredOptions = {
    "defaults", "auto",        "noauto",        "user",   "nouser",   "users",
    "owner",    "group",       "_netdev",       "nofail", "relatime", "norelatime",
    "diratime", "strictatime", "nostrictatime", "silent", "loud",     "default_permissions"};
constexpr std::array<std::string_view, 5> kIgnoredPrefixes = {"x-", "X-", "comment=", "uhelper=", "helper="};

template <typename List>
bool Contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

template <typename List>
bool ContainsPrefixOf(const List& list, std::string_view word) {
  return std::any_of(list.begin(), list.end(), [word](std::string_view prefix) { return word.starts_with(prefix); });
}

Error UnknownOption(std::string_view word) {
  std::string message = "unknown option '" + std::string(word) + "'; there are:";
  for (const OwnOption& option : kOwnOptions) message += " " + std::string(option.name);
  message += ", and of the kernel:";
  for (std::string_view option : kKernelOptions) message += " " + std::string(option);
  return {ErrorCode::kInvalidArgument, message};
}

Result<void> Apply(MountOptions& options, std::string_view word) {
  for (const OwnOption& option : kOwnOptions) {
    bool takes_value = option.name.back() == '=';
    if (takes_value ? !word.starts_with(option.name) : word != option.name) continue;
    Result<void> set = option.set(options, takes_value ? word.substr(option.name.size()) : std::string_view());
    if (!set) return set.error().WithContext("option '" + std::string(word) + "'");
    return {};
  }
  if (Contains(kKernelOptions, word) || ContainsPrefixOf(kKernelPrefixes, word)) {
    if (word == "ro") options.read_only = true;
    if (word == "rw") options.read_only = false;
    options.kernel.emplace_back(word);
    return {};
  }
  if (Contains(kIgnoredOptions, word) || ContainsPrefixOf(kIgnoredPrefixes, word)) return {};
  if (word == "remount") {
    return {ErrorCode::kInvalidArgument, "a mount's options cannot be changed while it is there: unmount, then mount"};
  }
  return UnknownOption(word);
}

}  // namespace

Result<MountOptions> MountOptions::Parse(std::string_view text) {
  MountOptions options;
  while (!text.empty()) {
    std::size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (!word.empty()) TRY(Apply(options, word));
  }
  return options;
}

std::string MountOptionsHelp() {
  std::string help;
  for (const OwnOption& option : kOwnOptions) {
    help +=
        "  " + std::string(option.name) + std::string(18 - option.name.size(), ' ') + std::string(option.help) + "\n";
  }
  help += "  of the kernel:   ";
  for (std::string_view option : kKernelOptions) help += " " + std::string(option);
  return help + "\n";
}

Result<std::uint64_t> ParseSize(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  constexpr std::string_view kUnits = "KMGT";
  unsigned shift = 0;
  if (unit.size() == 1 && kUnits.find(unit[0]) != std::string_view::npos) {
    shift = 10 * static_cast<unsigned>(kUnits.find(unit[0]) + 1);
  }
  bool known_unit = unit.empty() || shift > 0;
  if (error != std::errc() || !known_unit || number > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return {ErrorCode::kInvalidArgument, "'" + std::string(text) + "' is no size; write it like 256M or 1G"};
  }
  return number << shift;
}

}  // namespace gabion
