#include <CLI/CLI.hpp>
#include <algorithm>
#include <istream>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "cli/command/command.h"
#include "cli/output/check_report.h"
#include "cli/output/report.h"

namespace gabion {
namespace {

constexpr std::uint32_t kDefaultFaultLimit = 100;
constexpr std::uint32_t kMaxFaultLimit = 10'000;  // what the metaserver keeps
constexpr std::uint32_t kFaultsPerCall = 1000;
constexpr Duration kPollInterval = std::chrono::milliseconds(200);

struct CheckOptions {
  std::string volume;
  bool repair = false;
  bool yes = false;
  std::uint32_t limit = kDefaultFaultLimit;
};

bool IsBusy(proto::CheckState state) {
  return state == proto::CHECK_STATE_RUNNING || state == proto::CHECK_STATE_REPAIRING;
}

Result<proto::CheckStatusReply> FetchStatus(CommandContext& context, std::uint64_t check_id, std::uint64_t first_fault,
                                            std::uint32_t max_faults) {
  proto::CheckStatusRequest request;
  request.set_check_id(check_id);
  request.set_first_fault(first_fault);
  request.set_max_faults(max_faults);
  return context.api.CheckStatus(std::move(request));
}

/// Shows how far the check, or its repair, is until it has ended. Ctrl-C ends it. Errors: also kCancelled, kIo: it
/// failed.
Result<proto::CheckStatusReply> Await(CommandContext& context, std::uint64_t check_id) {
  std::ostream& err = context.console.err;
  bool shown = false;
  bool cancelled = false;
  while (true) {
    TRY_ASSIGN(proto::CheckStatusReply status, FetchStatus(context, check_id, 0, 0));
    if (context.console.interactive && IsBusy(status.state())) {
      err << "\r\x1b[K" << CheckProgressText(status) << std::flush;
      shown = true;
    } else if (shown) {
      err << "\r\x1b[K" << std::flush;
    }
    if (status.state() == proto::CHECK_STATE_CANCELLED) return Error(ErrorCode::kCancelled, "the check was cancelled");
    if (status.state() == proto::CHECK_STATE_FAILED)
      return Error(ErrorCode::kIo, "the check could not go on: " + status.error());
    if (!IsBusy(status.state())) return status;
    if (context.console.wait(kPollInterval) || cancelled) continue;
    TRY(context.api.CancelCheck(check_id));
    cancelled = true;
  }
}

/// The first `limit` faults that are kept.
Result<CheckFaults> FetchFaults(CommandContext& context, const proto::CheckStatusReply& status, std::uint64_t limit) {
  CheckFaults faults;
  const std::uint64_t wanted = std::min(status.kept_faults(), limit);
  while (static_cast<std::uint64_t>(faults.size()) < wanted) {
    const auto first = static_cast<std::uint64_t>(faults.size());
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted - first, kFaultsPerCall));
    TRY_ASSIGN(const proto::CheckStatusReply page, FetchStatus(context, status.check_id(), first, count));
    if (page.faults().empty()) break;
    faults.MergeFrom(page.faults());
  }
  return faults;
}

Result<void> ConfirmRepair(CommandContext& context, const std::string& plan) {
  std::ostream& err = context.console.err;
  err << "A repair will\n" << plan;
  if (!context.console.interactive) {
    return Error(ErrorCode::kInvalidArgument, "say --yes to repair without being asked");
  }
  err << "Type 'repair' to go on: " << std::flush;
  std::string answer;
  std::getline(context.console.in, answer);
  if (answer != "repair") return Error(ErrorCode::kCancelled, "not confirmed; nothing was repaired");
  return {};
}

/// Repairs what can be, if the user wants it. The check's status afterwards.
Result<proto::CheckStatusReply> Repair(CommandContext& context, const proto::CheckStatusReply& status, bool yes) {
  TRY_ASSIGN(const CheckFaults faults, FetchFaults(context, status, kMaxFaultLimit));
  const std::string plan = RepairPlanText(faults);
  if (plan.empty()) return status;
  if (!yes) {
    TRY(ConfirmRepair(context, plan));
  } else if (!context.json) {
    context.console.err << "A repair will\n" << plan;
  }
  TRY(context.api.RepairCheck(status.check_id()));
  return Await(context, status.check_id());
}

ExitCode ExitCodeOf(const proto::CheckStatusReply& status) {
  std::uint64_t faults = 0;
  for (const proto::CheckFaultCount& entry : status.counts()) faults += entry.count();
  if (faults > status.repaired()) return ExitCode::kFaults;
  return status.unchecked().empty() ? ExitCode::kDone : ExitCode::kFailed;
}

Result<void> RunCheckCommand(CommandContext& context, const CheckOptions& options) {
  TRY_ASSIGN(const proto::CheckStartReply started, context.api.StartCheck(options.volume));
  TRY_ASSIGN(proto::CheckStatusReply status, Await(context, started.check_id()));
  if (options.repair && status.kept_faults() > 0) {
    if (!options.yes && !context.json) {
      TRY_ASSIGN(const CheckFaults found, FetchFaults(context, status, options.limit));
      context.console.out << CheckText(status, found) << std::flush;
    }
    TRY_ASSIGN(status, Repair(context, status, options.yes));
  }
  TRY_ASSIGN(const CheckFaults faults, FetchFaults(context, status, options.limit));
  context.console.out << (context.json ? DumpJson(CheckJson(status, faults)) : CheckText(status, faults));
  context.exit_code = ExitCodeOf(status);
  return {};
}

}  // namespace

void AddCheckCommand(CLI::App& parent, Command* chosen) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command =
      parent.add_subcommand("check", "Compare names, counts and chunks with each other; changes nothing");
  command->add_option("--volume", options->volume, "Only this volume, and no chunks that belong to no file");
  command->add_flag("--repair", options->repair, "Then repair what can be repaired; asks first");
  command->add_flag("-y,--yes", options->yes, "Do not ask");
  command->add_option("--limit", options->limit, "How many faults to print")
      ->check(CLI::Range(1u, kMaxFaultLimit))
      ->capture_default_str();
  command->callback([chosen, options] {
    *chosen = [options](CommandContext& context) { return RunCheckCommand(context, *options); };
  });
}

}  // namespace gabion
