#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/log.h"
#include "common/base/result.h"
#include "common/env/clock.h"

namespace gabion {

enum class TransportChoice { kAuto, kUring, kDevice };

/// What `-o` says.
struct MountOptions {
  TransportChoice transport = TransportChoice::kAuto;
  std::uint64_t memory_bytes = 256ull << 20;
  unsigned loops = 0;  // 0: one a CPU
  Duration spin{0};
  std::string log_file;  // empty: the default place
  LogLevel log_level = LogLevel::kInfo;
  unsigned readahead_kb = 4096;
  Duration connect_timeout = std::chrono::seconds(10);
  bool cluster_locks = true;        // flock and fcntl locks hold between clients (docs/locks.md)
  Duration soft{0};                 // after which a call gives up; 0: hard, it never does
  std::optional<bool> allow_other;  // not said: as root
  bool read_only = false;
  std::vector<std::string> kernel;  // passed on: ro, noatime ...

  /// Reads the comma-separated words of one or more -o, which may be empty. Options of mount(8) itself (_netdev,
  /// noauto, x-...) are ignored. Errors: kInvalidArgument; for an unknown option it lists those that exist. Pure.
  static Result<MountOptions> Parse(std::string_view text);
};

/// All options with a line each, for --help.
std::string MountOptionsHelp();

/// "256M", "1G", "1073741824"; K, M, G, T are powers of 1024. Errors: kInvalidArgument. Pure.
Result<std::uint64_t> ParseSize(std::string_view text);

}  // namespace gabion
