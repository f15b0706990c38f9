// Round trips a second of small calls between two processes of this machine: what a request costs before anything is
// done for it. Prints a table; not a test. Run it on a quiet machine, from the release build:
// build/release/tests/rpc_bench
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/coro/task_group.h"
#include "common/env/real/event_loop.h"
#include "common/env/real/host.h"
#include "common/rpc/rpc_client.h"
#include "common/rpc/rpc_server.h"

namespace gabion {
namespace {

constexpr proto::Method kMethod = proto::METHOD_LOOKUP;
constexpr std::size_t kHeaderBytes = 128;
constexpr Duration kWarmUp = std::chrono::milliseconds(200);
constexpr Duration kMeasured = std::chrono::seconds(2);
constexpr const char* kHost = "this host";

struct Case {
  const char* name;
  int server_cpu;
  int client_cpu;
  Duration spin;
  unsigned in_flight;
};

Task<Result<RpcResponse>> Echo(RpcRequest request) {
  RpcResponse response;
  response.header = std::move(request.header);
  co_return response;
}

/// The child: serves until it is killed.
[[noreturn]] void Serve(const Case& bench, int port_pipe) {
  EventLoop loop({.index = 0, .cpu = bench.server_cpu, .spin = bench.spin});
  RpcServer server({&loop.env()}, {proto::ROLE_METASERVER, kHost, 0});
  server.Handle(kMethod, Echo);
  CHECK(server.Start({"127.0.0.1", 0}).has_value());
  const std::uint16_t port = server.endpoint().port;
  CHECK(::write(port_pipe, &port, sizeof port) == sizeof port);
  loop.Start();
  for (;;) ::pause();
}

/// Calls one after the other until `end`; counts those that began after `begin`.
Task<void> CallOn(RpcClient& client, Env& env, TimePoint begin, TimePoint end, std::uint64_t& count) {
  for (TimePoint now = env.clock.Now(); now < end; now = env.clock.Now()) {
    Payload none;
    std::string header(kHeaderBytes, 'h');
    Result<RpcReply> reply =
        co_await client.Call(kMethod, std::move(header), std::move(none), now + std::chrono::seconds(10));
    CHECK(reply.has_value());
    if (now >= begin) ++count;
  }
}

Task<void> CallAll(Env& env, Endpoint server, unsigned in_flight, std::uint64_t& count) {
  RpcClient client(env, server, Identity{proto::ROLE_CLIENT, kHost, 0});
  const TimePoint begin = env.clock.Now() + kWarmUp;
  TaskGroup callers;
  for (unsigned i = 0; i < in_flight; ++i) {
    callers.Spawn(env.executor, CallOn(client, env, begin, begin + kMeasured, count));
  }
  co_await callers.Join();
  co_await client.Stop();
}

double CpuSeconds(int who) {
  rusage usage{};
  CHECK(::getrusage(who, &usage) == 0);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Run(const Case& bench) {
  int ports[2];
  CHECK(::pipe(ports) == 0);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) Serve(bench, ports[1]);
  std::uint16_t port = 0;
  CHECK(::read(ports[0], &port, sizeof port) == sizeof port);
  ::close(ports[0]);
  ::close(ports[1]);

  const double cpu_before = CpuSeconds(RUSAGE_SELF) + CpuSeconds(RUSAGE_CHILDREN);
  std::uint64_t count = 0;
  {
    EventLoop loop({.index = 0, .cpu = bench.client_cpu, .spin = bench.spin});
    loop.Start();
    std::promise<void> done;
    asio::co_spawn(loop.env().executor, CallAll(loop.env(), {"127.0.0.1", port}, bench.in_flight, count),
                   [&done](std::exception_ptr exception) {
                     CHECK(exception == nullptr);
                     done.set_value();
                   });
    done.get_future().wait();
    loop.Stop();
  }
  ::kill(child, SIGKILL);
  CHECK(::waitpid(child, nullptr, 0) == child);
  const double cpu = CpuSeconds(RUSAGE_SELF) + CpuSeconds(RUSAGE_CHILDREN) - cpu_before;
  const double measured = std::chrono::duration<double>(kMeasured).count();
  const double whole = measured + std::chrono::duration<double>(kWarmUp).count();
  const double rate = static_cast<double>(count) / measured;
  fmt::print("{:<24} {:>9} {:>12.0f} {:>12.1f} {:>16.1f}\n", bench.name, bench.in_flight, rate,
             1e6 * bench.in_flight / rate, 1e6 * cpu / (rate * whole));
  std::fflush(stdout);
}

int Main() {
  const std::vector<int> cpus = UsableCpus();
  const int first = cpus.front();
  const int second = cpus.back();
  fmt::print("{:<24} {:>9} {:>12} {:>12} {:>16}\n", "", "in flight", "calls/s", "us a call", "CPU us a call");
  for (const unsigned in_flight : {1u, 8u, 64u}) {
    Run({"same CPU", first, first, Duration(0), in_flight});
    if (second == first) continue;
    Run({"two CPUs", first, second, Duration(0), in_flight});
    Run({"two CPUs, spin 50 us", first, second, std::chrono::microseconds(50), in_flight});
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace gabion

int main() {
  return gabion::Main();
}
