#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/admin.pb.h"

namespace gabion {

/// What a cluster's figures mean to who runs it.
enum class HealthLevel {
  kOk,
  kDegraded,  // everything works, something should be looked after
  kFailing,   // some reads or writes wait
};

struct Health {
  HealthLevel level = HealthLevel::kOk;
  std::vector<std::string> reasons;  // each a sentence without its full stop; empty if kOk
};

/// Pure.
Health AssessHealth(const proto::AdminStatusReply& status);

/// "ok", "degraded", "failing".
std::string_view ToString(HealthLevel level);

}  // namespace gabion
