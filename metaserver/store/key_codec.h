#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace gabion {

/// The first byte of every key. Layout of each table's keys: docs/formats/meta_keys.md. Numbers are never reused.
enum class Table : std::uint8_t {
  kCluster = 0x01,
  kCounter = 0x02,
  kVolume = 0x03,
  kServer = 0x04,
  kGroup = 0x05,
  kGarbage = 0x06,
  kEvent = 0x07,
  kInode = 0x10,
  kDentry = 0x11,
  kXattr = 0x12,
  kChunk = 0x13,
  kOrphan = 0x14,
  kReclaim = 0x15,
  kSession = 0x18,
  kOpReply = 0x19,
  kVolumeState = 0x1a,
  kVolumeStats = 0x1b,
};

/// Cluster-wide sources of ids, each one record of the counter table.
enum class Counter : std::uint8_t {
  kChunkId = 1,
  kSessionId = 2,
  kServerId = 3,
  kVolumeId = 4,
  kPgId = 5,
  kMapVersion = 6,
  kStart = 7,
};

inline constexpr std::size_t kMaxNameBytes = 255;

// Integers are big-endian, so that keys of one table sort by their numbers.
std::string ClusterKey();
std::string CounterKey(Counter counter);
std::string VolumeKey(VolumeId volume);
std::string ServerKey(ServerId server);
std::string PgKey(PgId pg);
std::string GarbageKey(ServerId server, ChunkId chunk);
std::string EventKey(std::uint64_t number);
std::string InodeKey(VolumeId volume, Ino ino);
std::string DentryKey(VolumeId volume, Ino parent, std::string_view name);
std::string XattrKey(VolumeId volume, Ino ino, std::string_view name);
std::string ChunkKey(VolumeId volume, Ino ino, std::uint64_t index);
std::string OrphanKey(VolumeId volume, Ino ino);
std::string ReclaimKey(VolumeId volume, Ino ino);
std::string SessionKey(VolumeId volume, SessionId session);
std::string OpReplyKey(VolumeId volume, SessionId session, OpSeq seq);
std::string VolumeStateKey(VolumeId volume);
std::string VolumeStatsKey(VolumeId volume);

// Prefixes for scans; the range is [prefix, PrefixEnd(prefix)).
std::string TablePrefix(Table table);
std::string TablePrefix(Table table, VolumeId volume);
std::string GarbagePrefix(ServerId server);
std::string DentryPrefix(VolumeId volume, Ino parent);
std::string XattrPrefix(VolumeId volume, Ino ino);
std::string ChunkPrefix(VolumeId volume, Ino ino);
std::string OpReplyPrefix(VolumeId volume, SessionId session);

// What scans find, decoded. Errors of all: kCorrupt for a key of another table or of a wrong length.
struct GarbageKeyParts {
  ServerId server;
  ChunkId chunk;
};
struct InodeKeyParts {  // of the tables inode, orphan and reclaim
  VolumeId volume;
  Ino ino;
};
struct NamedKeyParts {  // of the tables dentry (ino: the parent) and xattr; the name lives as long as the key
  VolumeId volume;
  Ino ino;
  std::string_view name;
};
struct ChunkKeyParts {
  VolumeId volume;
  Ino ino;
  std::uint64_t index = 0;
};
struct SessionKeyParts {
  VolumeId volume;
  SessionId session;
};
struct OpReplyKeyParts {
  VolumeId volume;
  SessionId session;
  OpSeq seq;
};

Result<Counter> DecodeCounterKey(std::string_view key);
Result<VolumeId> DecodeVolumeKey(std::string_view key);
Result<ServerId> DecodeServerKey(std::string_view key);
Result<PgId> DecodePgKey(std::string_view key);
Result<GarbageKeyParts> DecodeGarbageKey(std::string_view key);
Result<std::uint64_t> DecodeEventKey(std::string_view key);
Result<InodeKeyParts> DecodeInodeKey(Table table, std::string_view key);
Result<NamedKeyParts> DecodeNamedKey(Table table, std::string_view key);
Result<ChunkKeyParts> DecodeChunkKey(std::string_view key);
Result<SessionKeyParts> DecodeSessionKey(std::string_view key);
Result<OpReplyKeyParts> DecodeOpReplyKey(std::string_view key);

/// "inode 01000000020000000000000005": the table's name and the key in hexadecimal, for messages about broken records.
/// Any bytes will do.
std::string DescribeKey(std::string_view key);

}  // namespace gabion
