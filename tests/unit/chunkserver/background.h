#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/env/sim/sim_random.h"
#include "tests/unit/chunkserver/test_cluster.h"

namespace gabion {

// What goes on beside the test's own steps, over connections of its own, whatever is done to the servers meanwhile. All
// must end before the cluster does.

/// One call that is under way.
class BackgroundCall {
 public:
  /// `role_number`: as that chunkserver; 0: as a client.
  template <typename Request>
  BackgroundCall(TestCluster& cluster, int server, proto::Method method, const Request& request, std::string payload,
                 Duration limit, std::uint64_t role_number = 0)
      : BackgroundCall(cluster, server, method, request.SerializeAsString(), std::move(payload), limit, role_number,
                       nullptr) {}
  ~BackgroundCall();
  BackgroundCall(const BackgroundCall&) = delete;
  BackgroundCall& operator=(const BackgroundCall&) = delete;

  bool done() const { return outcome_.has_value(); }
  /// Waits for its end.
  ErrorCode Wait();

 private:
  BackgroundCall(TestCluster& cluster, int server, proto::Method method, std::string header, std::string payload,
                 Duration limit, std::uint64_t role_number, std::nullptr_t encoded);
  static Task<void> Run(BackgroundCall& call, proto::Method method, std::string header, Payload payload,
                        TimePoint deadline);

  TestCluster& cluster_;
  RpcClient client_;
  std::optional<ErrorCode> outcome_;
};

/// Writes to random places of the first chunks all the time, and repeats what fails, as clients do: in the end the
/// copies are to have what expected() says.
class SteadyWriter {
 public:
  static constexpr std::uint32_t kChunkPart = 128 * 1024;  // that is written to

  SteadyWriter(TestCluster& cluster, std::uint64_t chunks, Duration pause);
  ~SteadyWriter() { Stop(); }
  SteadyWriter(const SteadyWriter&) = delete;
  SteadyWriter& operator=(const SteadyWriter&) = delete;

  /// Returns when what it was writing is written.
  void Stop();
  int written() const { return written_; }
  /// What chunks begin with.
  const std::map<std::uint64_t, std::string>& expected() const { return expected_; }
  /// Whether this server has it; all in sync if it is 0.
  void ExpectIn(int server);

 private:
  static Task<void> Run(SteadyWriter& writer);
  Task<void> WriteOne();
  RpcClient& Client(int server);

  TestCluster& cluster_;
  const std::uint64_t chunks_;
  const Duration pause_;
  SimRandom random_;
  std::map<int, std::unique_ptr<RpcClient>> clients_;
  std::map<std::uint64_t, std::string> expected_;
  int written_ = 0;
  bool stop_ = false;
  bool stopped_ = false;
};

/// Reads a chunk's first block from a server, again and again, in the epoch in which it began.
class SteadyReader {
 public:
  SteadyReader(TestCluster& cluster, int server, std::uint64_t chunk, Duration pause = std::chrono::milliseconds(1));
  ~SteadyReader() { Stop(); }
  SteadyReader(const SteadyReader&) = delete;
  SteadyReader& operator=(const SteadyReader&) = delete;

  void Stop();
  /// Every answer there was; of each block the first bytes up to a zero.
  const std::set<std::string>& seen() const { return seen_; }
  int answers() const { return answers_; }

 private:
  static Task<void> Run(SteadyReader& reader, proto::ReadChunkRequest request);

  TestCluster& cluster_;
  const Duration pause_;
  RpcClient client_;
  std::set<std::string> seen_;
  int answers_ = 0;
  bool stop_ = false;
  bool stopped_ = false;
};

}  // namespace gabion
