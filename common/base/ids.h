#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace gabion {

/// An integer that cannot be mistaken for another kind of id. 0 is "none" for all of them.
template <typename Tag, typename Integer>
class Id {
 public:
  using value_type = Integer;

  constexpr Id() = default;
  explicit constexpr Id(Integer value) : value_(value) {}

  constexpr Integer value() const { return value_; }
  explicit constexpr operator bool() const { return value_ != 0; }
  constexpr Id next() const { return Id(value_ + 1); }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  Integer value_ = 0;
};

template <typename Tag, typename Integer>
std::string ToString(Id<Tag, Integer> id) {
  return std::to_string(id.value());
}

/// A namespace with its own root, quota and defaults.
using VolumeId = Id<struct VolumeIdTag, std::uint32_t>;
/// An inode of a volume; never reused; also the FUSE nodeid. The root of every volume is kRootIno.
using Ino = Id<struct InoTag, std::uint64_t>;
/// 64 MiB of a file; unique in the cluster, never reused.
using ChunkId = Id<struct ChunkIdTag, std::uint64_t>;
/// A placement group: the small set of chunkservers that keeps a chunk.
using PgId = Id<struct PgIdTag, std::uint32_t>;
/// Raised whenever a placement group's membership changes.
using Epoch = Id<struct EpochTag, std::uint32_t>;
/// A chunkserver, by the identity it keeps in its data directory.
using ServerId = Id<struct ServerIdTag, std::uint32_t>;
/// A client's registration with the metaserver.
using SessionId = Id<struct SessionIdTag, std::uint64_t>;
/// A mutation within its session; with the session it names an op for exactly-once execution.
using OpSeq = Id<struct OpSeqTag, std::uint64_t>;
/// A position in a key-value store's commit order.
using CommitSeq = Id<struct CommitSeqTag, std::uint64_t>;
/// An open file of a session, chosen by the client; unique in the session.
using HandleId = Id<struct HandleIdTag, std::uint64_t>;

inline constexpr Ino kRootIno{1};

}  // namespace gabion

template <typename Tag, typename Integer>
struct std::hash<gabion::Id<Tag, Integer>> {
  std::size_t operator()(gabion::Id<Tag, Integer> id) const noexcept { return std::hash<Integer>()(id.value()); }
};
