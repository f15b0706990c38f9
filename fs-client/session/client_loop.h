#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/env/env.h"
#include "common/rpc/rpc_client.h"
#include "common/rpc/waiter.h"
#include "fs-client/session/hedge_delay.h"

namespace gabion {

/// What the client has on one event loop: connections to the servers it talks to from there, so that a call never
/// leaves the loop it began on (DESIGN 11). Used on that loop only.
class ClientLoop {
 public:
  /// A server that failed is asked last for so long.
  static constexpr Duration kSuspicion = std::chrono::seconds(3);

  /// `env` outlives it.
  ClientLoop(Env& env, std::vector<Endpoint> metaservers, std::string host_id);

  Env& env() { return env_; }
  TimePoint Now() const { return env_.clock.Now(); }

  /// The connection to metaserver `index` of the list.
  RpcClient& Metaserver(std::size_t index);
  /// The one for what others' ops may be waiting for, and what must not wait behind such ops of ours: what keeps the
  /// session alive, and what brings written data home.
  RpcClient& UrgentMetaserver(std::size_t index);
  /// One more connection to it, for calls that must not wait behind others.
  std::unique_ptr<RpcClient> ConnectMetaserver(std::size_t index) { return Connect(metaservers_.at(index)); }
  std::size_t metaserver_count() const { return metaservers_.size(); }
  /// The connection to a chunkserver; another one if it moved to another address. The old one stays until Stop, for
  /// calls may still be waiting on it.
  RpcClient& Chunkserver(ServerId server, const Endpoint& endpoint);

  /// Ends the calls to these servers: they are dead, and nobody is to wait for their answers until the deadline.
  Task<void> HangUp(std::vector<ServerId> dead);

  /// A call to a chunkserver that waits for its answer. Counts until it goes.
  class [[nodiscard]] Waiting {
   public:
    explicit Waiting(ClientLoop& loop) : loop_(loop), place_(loop.waiting_.insert(loop.waiting_.end(), loop.Now())) {}
    ~Waiting() { loop_.waiting_.erase(place_); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    ClientLoop& loop_;
    std::list<TimePoint>::iterator place_;
  };
  bool any_waiting() const { return !waiting_.empty(); }
  /// Since when the oldest of them has been waiting; there is one.
  TimePoint waiting_since() const { return waiting_.front(); }
  /// Whether somebody looks after those who wait already; from now on somebody does.
  bool StartWatching() { return std::exchange(watching_, true); }
  void StopWatching() { watching_ = false; }

  /// Ends a wait at a time, unless it goes before. Those that wait behind one that is due later ring with that one:
  /// they are for hedge_delay(), which changes slowly.
  class [[nodiscard]] Alarm {
   public:
    Alarm(ClientLoop& loop, TimePoint at, Waiter& waiter)
        : loop_(loop), at_(at), waiter_(waiter), place_(loop.alarms_.insert(loop.alarms_.end(), this)) {}
    ~Alarm() { loop_.alarms_.erase(place_); }
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

   private:
    friend class ClientLoop;
    ClientLoop& loop_;
    const TimePoint at_;
    Waiter& waiter_;
    std::list<Alarm*>::iterator place_;
  };
  /// Whether somebody rings the alarms already; from now on somebody does.
  bool StartRinging() { return std::exchange(ringing_, true); }
  Task<void> RingAlarms();

  HedgeDelay& hedge_delay() { return hedge_delay_; }
  HedgeBudget& hedge_budget() { return hedge_budget_; }

  void Suspect(ServerId server);
  void Trust(ServerId server);
  bool Suspected(ServerId server) const;

  /// Ends all connections and the calls on them.
  Task<void> Stop();

 private:
  std::unique_ptr<RpcClient> Connect(const Endpoint& endpoint);

  Env& env_;
  const std::vector<Endpoint> metaservers_;
  const std::string host_id_;
  std::vector<std::unique_ptr<RpcClient>> meta_clients_;  // by index; made when first used
  std::vector<std::unique_ptr<RpcClient>> urgent_clients_;
  std::map<ServerId, std::unique_ptr<RpcClient>> chunk_clients_;
  std::vector<std::unique_ptr<RpcClient>> retired_;
  std::map<ServerId, TimePoint> suspects_;
  std::list<TimePoint> waiting_;
  bool watching_ = false;
  std::list<Alarm*> alarms_;
  bool ringing_ = false;
  HedgeDelay hedge_delay_;
  HedgeBudget hedge_budget_;
};

}  // namespace gabion
