// gabion-sim: simulated clusters from seeds, until one shows a fault. docs/simulation.md says what they do.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/sim/coverage.h"
#include "tests/sim/fault/fault_mix.h"
#include "tests/sim/mutations.h"
#include "tests/sim/sim_run.h"
#include "tests/sim/workload/workload.h"

#ifdef __SANITIZE_ADDRESS__
// So that what a sanitizer finds ends in the handler below as well.
extern "C" const char* __asan_default_options() {
  return "abort_on_error=1:handle_abort=0";
}
#endif

namespace gabion {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t runs = 1;
  double minutes = 0;
  std::string workload = "all";
  std::string faults = "each";
  int ops = 150;
  std::string mutation;
  bool trace = false;
  bool coverage = false;
  bool list = false;
};

// What the handler of a fatal signal prints: it may not format anything.
char g_replay[512];

void PrintReplayAndExit(int) {
  static constexpr char kPrefix[] = "replay: ";
  // Nothing is left to be done if this fails.
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, kPrefix, sizeof(kPrefix) - 1);
  written = write(STDERR_FILENO, g_replay, std::strlen(g_replay));
  _exit(1);
}

void HandleFatalSignals() {
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, PrintReplayAndExit);
}

/// The names that a run of `seed` uses: with several to choose from, seed after seed takes the next combination, so
/// that equal ranges of seeds are equal work.
SimRunOptions RunOf(const Options& options, std::uint64_t seed) {
  const std::vector<std::string> workloads =
      options.workload == "all" ? WorkloadNames() : std::vector<std::string>{options.workload};
  const std::vector<std::string> mixes =
      options.faults == "each" ? FaultMix::Names() : std::vector<std::string>{options.faults};
  SimRunOptions run;
  run.seed = seed;
  run.workload = workloads[seed % workloads.size()];
  run.faults = mixes[seed / workloads.size() % mixes.size()];
  run.ops = options.ops;
  run.mutation = options.mutation;
  return run;
}

/// Prints how far it is, every few seconds.
class Progress {
 public:
  void Done(const SimRunOptions& run) {
    ++runs_;
    const auto now = SteadyClock::now();
    if (now - printed_ < std::chrono::seconds(5)) return;
    printed_ = now;
    Print(fmt::format("seed {} ({}, {}) done; ", run.seed, run.workload, run.faults));
  }
  void Print(const std::string& prefix) const {
    fmt::print("{}{} runs, {:.1f} a second\n", prefix, runs_, static_cast<double>(runs_) / Seconds());
    std::fflush(stdout);
  }
  double Seconds() const { return std::chrono::duration<double>(SteadyClock::now() - begin_).count(); }

 private:
  const SteadyClock::time_point begin_ = SteadyClock::now();
  SteadyClock::time_point printed_ = begin_;
  std::uint64_t runs_ = 0;
};

int List() {
  fmt::print("workloads: {}\nfaults: {}\n", fmt::join(WorkloadNames(), " "), fmt::join(FaultMix::Names(), " "));
  return 0;
}

int ListMutations() {
  for (const Mutation& one : Mutations()) fmt::print("{:24} {}\n", one.name, one.what);
  if (!Mutations().empty()) return 0;
  fmt::print(stderr, "this build has no mutations; configure one with -DGABION_MUTATIONS=ON\n");
  return 2;
}

int RunSeeds(const Options& options) {
  Progress progress;
  Coverage coverage;
  for (std::uint64_t i = 0; i < options.runs; ++i) {
    if (options.minutes > 0 && progress.Seconds() > options.minutes * 60) break;
    const SimRunOptions run = RunOf(options, options.seed + i);
    const std::string replay = ReplayCommand(run) + "\n";
    std::strncpy(g_replay, replay.c_str(), sizeof(g_replay) - 1);
    const SimRunOutcome outcome = RunSimulation(run);
    if (!outcome.failure.empty()) {
      fmt::print(stderr, "FAILED: seed {} ({}, {}): {}\nreplay: {}", run.seed, run.workload, run.faults,
                 outcome.failure, replay);
      return 1;
    }
    if (options.runs == 1) fmt::print("trace hash {:016x}\n", outcome.trace_hash);
    coverage.Add(outcome);
    progress.Done(run);
  }
  progress.Print("");
  if (options.coverage) fmt::print("{}", coverage.Report());
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Runs simulated clusters from seeds, until one shows a fault; then exits with 1 and says how to replay it.");
  app.add_option("--seed", options.seed, "the first seed")->capture_default_str();
  app.add_option("--runs", options.runs, "how many seeds, one after the other")->capture_default_str();
  app.add_option("--minutes", options.minutes, "begin no run after so many minutes; 0: no limit")
      ->capture_default_str();
  app.add_option("--workload", options.workload, "a workload, or all: one after the other")->capture_default_str();
  app.add_option("--faults", options.faults, "a mix of faults, one fault, or each: one after the other")
      ->capture_default_str();
  app.add_option("--ops", options.ops, "calls of each of a workload's workers")->capture_default_str();
  app.add_option("--mutate", options.mutation,
                 "have Gabion do something wrong, which must be found; list: what there is");
  app.add_flag("--coverage", options.coverage, "print at the end which faults and rare paths there were");
  app.add_flag("--trace", options.trace, "print everything that happens");
  app.add_flag("--list", options.list, "print the names of workloads and faults");
  CLI11_PARSE(app, argc, argv);
  if (options.list) return List();
  if (options.mutation == "list") return ListMutations();
  const auto knows = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (options.workload != "all" && !knows(WorkloadNames(), options.workload)) {
    fmt::print(stderr, "no workload {}; --list prints those there are\n", options.workload);
    return 2;
  }
  if (options.faults != "each" && !knows(FaultMix::Names(), options.faults)) {
    fmt::print(stderr, "no faults {}; --list prints those there are\n", options.faults);
    return 2;
  }
  if (!Mutate(options.mutation)) {
    fmt::print(stderr, "no mutation {} in this build; --mutate list prints those there are\n", options.mutation);
    return 2;
  }
  if (options.trace) setenv("GABION_SIM_TRACE", "1", 1);
  HandleFatalSignals();
  return RunSeeds(options);
}

}  // namespace
}  // namespace gabion

int main(int argc, char** argv) {
  return gabion::Main(argc, argv);
}
