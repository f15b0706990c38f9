#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/env/env.h"
#include "common/env/real/asio_clock.h"
#include "common/env/real/os_random.h"
#include "common/env/real/tcp_transport.h"
#include "common/env/sim/sim_world.h"
#include "tests/contract/bench.h"

namespace gabion {

/// The two bindings of Env, for suites that run over both: a server and a client side, which are one and the same in
/// reality and two machines in simulation.
class RealEnvBench {
 public:
  static constexpr const char* kName = "Real";

  Env& server() { return env_; }
  Env& client() { return env_; }
  std::string server_host() const { return "127.0.0.1"; }
  std::string foreign_host() const { return "192.0.2.1"; }  // of documentation: nobody's

  template <typename T>
  T Run(Task<T> task) {
    return bench_.Run(std::move(task));
  }
  void RunAll(std::vector<Task<void>> tasks) { bench_.RunAll(std::move(tasks)); }

 private:
  RealBench bench_;
  AsioClock clock_;
  OsRandom random_;
  TcpTransport transport_{bench_.io().get_executor()};
  Env env_{bench_.io().get_executor(), clock_, transport_, random_};
};

class SimEnvBench {
 public:
  static constexpr const char* kName = "Sim";

  Env& server() { return server_.env(); }
  Env& client() { return client_.env(); }
  std::string server_host() const { return "server"; }
  std::string foreign_host() const { return "client"; }

  template <typename T>
  T Run(Task<T> task) {
    return world_.RunUntilDone(std::move(task), std::chrono::hours(3));
  }
  void RunAll(std::vector<Task<void>> tasks) { world_.RunUntilAllDone(std::move(tasks)); }

 private:
  SimWorld world_{1};
  SimMachine& server_ = world_.AddMachine("server");
  SimMachine& client_ = world_.AddMachine("client");
};

/// For TYPED_TEST_SUITE.
class BenchNames {
 public:
  template <typename T>
  static std::string GetName(int) {
    return T::kName;
  }
};

}  // namespace gabion
