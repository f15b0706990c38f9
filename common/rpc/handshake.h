#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "common/rpc/identity.h"

namespace gabion {

/// What opens every connection: the connecting side's Hello, the other's HelloReply. The version ranges of both decide
/// the version of all that follows. The frames themselves keep their layout for ever, so that any two releases can say
/// no to each other. Pure but for the exchange at the end.

/// Stands for "not pinned to a CPU" in Hello.cpu.
inline constexpr std::uint32_t kNoCpu = UINT32_MAX;

/// What a server learns from a Hello.
struct Greeting {
  Identity caller;
  std::uint32_t cpu = kNoCpu;
  std::uint32_t version = 0;  // chosen: the highest that both sides speak
};

Frame MakeHello(const Identity& identity, std::uint32_t cpu);
/// Errors: kProtocol (not a hello), kVersionMismatch (no common version; the message names both ranges).
Result<Greeting> ReadHello(const Frame& frame);

Frame MakeHelloReply(const Identity& identity, std::uint32_t version);
/// The answer to a hello that was refused; the connection is closed after it.
Frame MakeHelloRefusal(const Error& error);
/// Who answered. Errors: as the server refused; kProtocol.
Result<Identity> ReadHelloReply(const Frame& frame);

/// Sends `frames`, then receives one; at `deadline` the connection is closed. `env` is the connection's loop.
/// Errors: as Connection; kDeadlineExceeded.
Task<Result<Frame>> ExchangeBefore(Env& env, Connection& connection, std::vector<Frame> frames, TimePoint deadline);

}  // namespace gabion
