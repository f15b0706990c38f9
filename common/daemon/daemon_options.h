#pragma once

#include <string>

#include "common/base/log.h"
#include "common/base/result.h"
#include "common/daemon/option_set.h"
#include "common/env/clock.h"
#include "common/env/transport.h"

namespace gabion {

/// What every server program can be told.
struct DaemonOptions {
  Endpoint listen;
  bool allow_insecure_network = false;
  std::string log_file;  // empty: standard error
  LogLevel log_level = LogLevel::kInfo;
  std::uint64_t loops = 0;    // 0: one a CPU
  std::uint64_t spin_us = 0;  // how long a loop looks for work before it sleeps; 0: not at all

  Duration spin() const { return std::chrono::microseconds(spin_us); }
};

/// --listen (by default options->listen), --allow-insecure-network, --log-file, --log-level, --loops, --spin-us.
void AddDaemonOptions(OptionSet& set, DaemonOptions* options);

/// Without authentication whoever reaches the port can read and write everything, so only loopback addresses are taken
/// unless that is asked for. A name other than localhost counts as not loopback. Errors: kInvalidArgument, which says
/// what to do. Pure.
Result<void> CheckListenAddress(const DaemonOptions& options);

/// Whether it stands for "all addresses of this machine", which no other machine can connect to. Pure.
bool IsWildcardAddress(const std::string& host);

}  // namespace gabion
