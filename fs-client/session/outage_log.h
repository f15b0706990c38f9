#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "common/base/result.h"
#include "common/env/clock.h"

namespace gabion {

/// Tells the operator once that something no longer answers, after kPatience of failures, and once that it answers
/// again; calls wait meanwhile. Any thread.
class OutageLog {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(5);
  static constexpr std::size_t kMaxTracked = 1024;

  /// `kind` is what a key counts: "placement group".
  explicit OutageLog(std::string kind) : kind_(std::move(kind)) {}

  void Failed(std::uint32_t key, TimePoint now, const Error& error);
  /// Costs one load while nothing is out.
  void Succeeded(std::uint32_t key, TimePoint now);

 private:
  struct Outage {
    TimePoint since;
    bool logged = false;
  };

  const std::string kind_;
  std::atomic<std::size_t> count_ = 0;
  std::mutex mutex_;
  std::map<std::uint32_t, Outage> outages_;
};

}  // namespace gabion
