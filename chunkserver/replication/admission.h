#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "common/base/byte_units.h"
#include "common/base/result.h"

namespace gabion {

/// Bounds what the data calls that run in this server hold in memory, all together. Any loop.
class Admission {
 public:
  /// The rest is for what other servers pass on: if clients could take all, servers that wait for each other would keep
  /// each other from ever finishing.
  static constexpr std::uint64_t kClientBytesMax = 256 * kMiB;
  static constexpr std::uint64_t kBytesMax = 512 * kMiB;

  /// Counts until it goes.
  class [[nodiscard]] Ticket {
   public:
    Ticket(Admission* admission, std::uint64_t bytes) : admission_(admission), bytes_(bytes) {}
    Ticket(Ticket&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)), bytes_(other.bytes_) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (admission_ != nullptr) admission_->bytes_.fetch_sub(bytes_);
    }

   private:
    Admission* admission_;
    std::uint64_t bytes_;
  };

  /// Errors: kOverloaded.
  Result<Ticket> Admit(std::uint64_t bytes, bool from_server) {
    if (!from_server) client_calls_.fetch_add(1, std::memory_order_relaxed);
    std::uint64_t before = bytes_.fetch_add(bytes);
    Ticket ticket(this, bytes);
    if (before + bytes > (from_server ? kBytesMax : kClientBytesMax)) {
      return Error(ErrorCode::kOverloaded, "this chunkserver holds as much data in flight as it may");
    }
    return ticket;
  }

  /// How many calls of clients there were: work in the background looks whether it is alone.
  std::uint64_t client_calls() const { return client_calls_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> client_calls_{0};
};

}  // namespace gabion
