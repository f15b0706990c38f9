#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/buffer.h"
#include "common/base/result.h"
#include "common/coro/task.h"

namespace gabion {

/// One open slab file. Any loop of its process. Buffered: a completed write survives the process, and power loss only
/// after Sync. Calls answer from the page cache on the loop's thread where the kernel can, else from a pool.
class DiskFile {
 public:
  virtual ~DiskFile() = default;

  /// Exactly `length` bytes from `offset_bytes`; holes and what lies beyond the end read as zeros. Errors: kIo.
  virtual Task<Result<Slice>> ReadAt(std::uint64_t offset_bytes, std::size_t length) = 0;
  /// All of `payload`. Errors: kNoSpace, kIo; part of it may then have been written.
  virtual Task<Result<void>> WriteAt(std::uint64_t offset_bytes, Payload payload) = 0;
  /// Everything written before the call is on stable storage after it. Errors: kIo: what was unsynced may be lost.
  virtual Task<Result<void>> Sync() = 0;
  /// Gives the range's space back to the host; it reads as zeros. Errors: kIo. Not durable by itself.
  virtual Task<Result<void>> PunchHole(std::uint64_t offset_bytes, std::uint64_t length_bytes) = 0;
};

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;  // to this process, and to others
  std::uint64_t set_aside_bytes = 0;  // beside that (Disk::SetAside)
};

/// A directory on one disk, for the data of one store.
class Disk {
 public:
  virtual ~Disk() = default;

  /// Opens a file of the directory; makes it, sparse and `size_bytes` long, if it is not there. Durable when it
  /// returns. Errors: kNoSpace, kIo.
  virtual Task<Result<std::unique_ptr<DiskFile>>> Open(std::string name, std::uint64_t size_bytes) = 0;
  virtual Task<Result<DiskSpace>> Space() = 0;
  /// Has so many bytes of the disk set aside, from then on and over restarts: nothing can be written to them, by
  /// whomever, until a later call asks for less. Returns how many it has: what it had, if the disk has not that much
  /// more, or cannot do this. One call at a time. Errors: kIo.
  virtual Task<Result<std::uint64_t>> SetAside(std::uint64_t bytes) = 0;
  /// Changes with every start of the machine: tells a start after a power loss from one after a killed process.
  virtual std::string boot_id() const = 0;
};

}  // namespace gabion
