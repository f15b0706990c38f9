#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "proto/admin.pb.h"

namespace gabion {

/// What a check found, for people and for programs; as cli/output/report.h.
using CheckFaults = google::protobuf::RepeatedPtrField<proto::CheckFault>;

/// A word for programs: "link-count".
const char* FaultName(proto::CheckFaultKind kind);
/// One line, without its end: where, what is wrong, and what became of it.
std::string FaultText(const proto::CheckFault& fault);
/// How far it is, in one line without its end.
std::string CheckProgressText(const proto::CheckStatusReply& status);
/// The whole report; `faults`: those that are to be shown one by one.
std::string CheckText(const proto::CheckStatusReply& status, const CheckFaults& faults);
/// What a repair will do, a line each kind; empty: nothing can be repaired. `faults`: all that are kept.
std::string RepairPlanText(const CheckFaults& faults);

nlohmann::ordered_json CheckJson(const proto::CheckStatusReply& status, const CheckFaults& faults);

}  // namespace gabion
