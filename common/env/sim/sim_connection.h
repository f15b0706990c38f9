#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/env/sim/sim_network.h"

namespace gabion {

/// Both ends of a connection and what is on the wire between them. Side 0 connected, side 1 accepted.
class SimConnectionState : public std::enable_shared_from_this<SimConnectionState> {
 public:
  SimConnectionState(SimNetwork& network, std::shared_ptr<SimLife> connecting, std::shared_ptr<SimLife> accepting);

  Task<Result<void>> Send(int side, std::vector<Frame> frames);
  Task<Result<Frame>> Receive(int side);
  /// The side ends; its peer learns after everything that was sent before.
  void Close(int side);
  /// The side gives up; what it has sent, and its end, arrive that much later at the earliest.
  void Strand(int side, Duration late);
  /// The side's host lost power: its peer learns late, or when it sends something.
  void Vanish(int side);
  /// Both sides lose the connection at once.
  void Reset();
  /// Sends what waited for the wire.
  void Unblocked();
  /// The end of the world. A coroutine that waits keeps this object, which keeps the coroutine: one has to let go.
  void DropWaiters();

  const SimLife& life(int side) const { return *ends_[Index(side)].life; }

 private:
  // A frame, or the end of the stream.
  struct Item {
    bool is_end = false;
    Frame frame;
    std::size_t size = 0;
  };
  struct End {
    std::shared_ptr<SimLife> life;
    bool lost = false;                // nothing more can be sent or received
    bool vanished = false;            // its host lost power
    std::deque<Item> inbox;           // arrived
    std::deque<Item> held;            // sent, waiting for the wire
    TimePoint held_since;             // the first of them
    TimePoint last_arrival;           // of what this end sent
    TimePoint stranded_until;         // before then nothing of it arrives
    std::size_t bytes_under_way = 0;  // sent by this end, not yet received by the other
    std::function<void()> receiver;   // resumes a pending Receive
    std::function<void()> sender;     // resumes a pending Send
  };

  static std::size_t Index(int side) { return static_cast<std::size_t>(side); }
  void Put(int side, Item item);
  void Launch(int side, Item item);
  void Arrive(int side, Item item);
  void Lose(int side);
  static void Wake(std::function<void()>& waiter);
  Error LostError(int side) const;

  SimNetwork& network_;
  std::array<End, 2> ends_;
};

/// One end, as its owner holds it.
class SimConnection final : public Connection {
 public:
  SimConnection(std::shared_ptr<SimConnectionState> state, int side) : state_(std::move(state)), side_(side) {}
  ~SimConnection() override;

  Task<Result<void>> Send(std::vector<Frame> frames) override;
  Task<Result<Frame>> Receive() override;
  void Close() override;
  std::string peer() const override;
  std::unique_ptr<Connection> MoveTo(Executor executor) override;

 private:
  std::shared_ptr<SimConnectionState> state_;
  int side_;
};

}  // namespace gabion
