#include "metaserver/store/key_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "common/env/kv_store.h"
#include "common/env/sim/sim_random.h"

namespace gabion {
namespace {

using namespace std::string_literals;

const VolumeId kVolume{0x01020304};
const Ino kIno{0x1112131415161718};

TEST(KeyCodecTest, BytesAreAsDocumented) {
  EXPECT_EQ(ClusterKey(), "\x01"s);
  EXPECT_EQ(CounterKey(Counter::kSessionId), "\x02\x02"s);
  EXPECT_EQ(VolumeKey(kVolume), "\x03\x01\x02\x03\x04"s);
  EXPECT_EQ(ServerKey(ServerId(5)), "\x04\0\0\0\x05"s);
  EXPECT_EQ(PgKey(PgId(6)), "\x05\0\0\0\x06"s);
  EXPECT_EQ(GarbageKey(ServerId(5), ChunkId(7)), "\x06\0\0\0\x05\0\0\0\0\0\0\0\x07"s);
  EXPECT_EQ(EventKey(258), "\x07\0\0\0\0\0\0\x01\x02"s);
  const std::string place = "\x01\x02\x03\x04\x11\x12\x13\x14\x15\x16\x17\x18"s;
  EXPECT_EQ(InodeKey(kVolume, kIno), "\x10" + place);
  EXPECT_EQ(DentryKey(kVolume, kIno, "name"), "\x11" + place + "name");
  EXPECT_EQ(XattrKey(kVolume, kIno, "user.a"), "\x12" + place + "user.a");
  EXPECT_EQ(ChunkKey(kVolume, kIno, 258), "\x13" + place + "\0\0\0\0\0\0\x01\x02"s);
  EXPECT_EQ(OrphanKey(kVolume, kIno), "\x14" + place);
  EXPECT_EQ(ReclaimKey(kVolume, kIno), "\x15" + place);
  EXPECT_EQ(SessionKey(kVolume, SessionId(9)), "\x18\x01\x02\x03\x04\0\0\0\0\0\0\0\x09"s);
  EXPECT_EQ(OpReplyKey(kVolume, SessionId(9), OpSeq(10)), "\x19\x01\x02\x03\x04\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x0a"s);
  EXPECT_EQ(VolumeStateKey(kVolume), "\x1a\x01\x02\x03\x04"s);
  EXPECT_EQ(VolumeStatsKey(kVolume), "\x1b\x01\x02\x03\x04"s);
}

TEST(KeyCodecTest, KeysSortByTheirNumbers) {
  EXPECT_LT(InodeKey(kVolume, Ino(255)), InodeKey(kVolume, Ino(256)));
  EXPECT_LT(InodeKey(VolumeId(1), Ino(UINT64_MAX)), InodeKey(VolumeId(2), Ino(1)));
  EXPECT_LT(ChunkKey(kVolume, kIno, 9), ChunkKey(kVolume, kIno, 10));
  EXPECT_LT(DentryKey(kVolume, Ino(1), "zzz"), DentryKey(kVolume, Ino(2), "a"));
  EXPECT_LT(DentryKey(kVolume, kIno, "a"), DentryKey(kVolume, kIno, "a\xff"));
}

TEST(KeyCodecTest, PrefixesCoverTheirKeysAndNoOthers) {
  auto covers = [](const std::string& prefix, const std::string& key) {
    return key >= prefix && (PrefixEnd(prefix).empty() || key < PrefixEnd(prefix));
  };
  EXPECT_TRUE(covers(DentryPrefix(kVolume, kIno), DentryKey(kVolume, kIno, std::string(255, '\xff'))));
  EXPECT_FALSE(covers(DentryPrefix(kVolume, kIno), DentryKey(kVolume, kIno.next(), "a")));
  EXPECT_TRUE(covers(ChunkPrefix(kVolume, kIno), ChunkKey(kVolume, kIno, UINT64_MAX)));
  EXPECT_FALSE(covers(ChunkPrefix(kVolume, Ino(255)), ChunkKey(kVolume, Ino(256), 0)));
  EXPECT_TRUE(covers(TablePrefix(Table::kInode, VolumeId(UINT32_MAX)), InodeKey(VolumeId(UINT32_MAX), kIno)));
  EXPECT_FALSE(covers(TablePrefix(Table::kInode, VolumeId(UINT32_MAX)), DentryKey(VolumeId(1), kIno, "a")));
  EXPECT_TRUE(covers(OpReplyPrefix(kVolume, SessionId(1)), OpReplyKey(kVolume, SessionId(1), OpSeq(UINT64_MAX))));
  EXPECT_TRUE(covers(GarbagePrefix(ServerId(3)), GarbageKey(ServerId(3), ChunkId(UINT64_MAX))));
  EXPECT_FALSE(covers(GarbagePrefix(ServerId(3)), GarbageKey(ServerId(4), ChunkId(0))));
}

TEST(KeyCodecTest, EveryDecoderTurnsBackItsEncoder) {
  EXPECT_EQ(*DecodeCounterKey(CounterKey(Counter::kPgId)), Counter::kPgId);
  EXPECT_EQ(*DecodeVolumeKey(VolumeKey(kVolume)), kVolume);
  EXPECT_EQ(*DecodeServerKey(ServerKey(ServerId(8))), ServerId(8));
  EXPECT_EQ(*DecodePgKey(PgKey(PgId(8))), PgId(8));
  EXPECT_EQ(DecodeGarbageKey(GarbageKey(ServerId(1), ChunkId(2)))->chunk, ChunkId(2));
  EXPECT_EQ(*DecodeEventKey(EventKey(7)), 7u);
  EXPECT_EQ(DecodeInodeKey(Table::kInode, InodeKey(kVolume, kIno))->ino, kIno);
  EXPECT_EQ(DecodeInodeKey(Table::kReclaim, ReclaimKey(kVolume, kIno))->volume, kVolume);
  const std::string dentry = DentryKey(kVolume, kIno, "a name");
  EXPECT_EQ(DecodeNamedKey(Table::kDentry, dentry)->name, "a name");
  EXPECT_EQ(DecodeNamedKey(Table::kDentry, dentry)->ino, kIno);
  EXPECT_EQ(DecodeChunkKey(ChunkKey(kVolume, kIno, 77))->index, 77u);
  EXPECT_EQ(DecodeSessionKey(SessionKey(kVolume, SessionId(3)))->session, SessionId(3));
  EXPECT_EQ(DecodeOpReplyKey(OpReplyKey(kVolume, SessionId(3), OpSeq(4)))->seq, OpSeq(4));
}

struct Decoder {
  const char* name;
  std::string good;
  bool has_name;  // and so any length from one byte of name up
  std::function<bool(std::string_view)> accepts;
};

std::vector<Decoder> Decoders() {
  return {
      {"counter", CounterKey(Counter::kPgId), false, [](auto key) { return DecodeCounterKey(key).has_value(); }},
      {"volume", VolumeKey(kVolume), false, [](auto key) { return DecodeVolumeKey(key).has_value(); }},
      {"server", ServerKey(ServerId(1)), false, [](auto key) { return DecodeServerKey(key).has_value(); }},
      {"group", PgKey(PgId(1)), false, [](auto key) { return DecodePgKey(key).has_value(); }},
      {"garbage", GarbageKey(ServerId(1), ChunkId(1)), false,
       [](auto key) { return DecodeGarbageKey(key).has_value(); }},
      {"event", EventKey(1), false, [](auto key) { return DecodeEventKey(key).has_value(); }},
      {"inode", InodeKey(kVolume, kIno), false,
       [](auto key) { return DecodeInodeKey(Table::kInode, key).has_value(); }},
      {"dentry", DentryKey(kVolume, kIno, "x"), true,
       [](auto key) { return DecodeNamedKey(Table::kDentry, key).has_value(); }},
      {"chunk", ChunkKey(kVolume, kIno, 1), false, [](auto key) { return DecodeChunkKey(key).has_value(); }},
      {"session", SessionKey(kVolume, SessionId(1)), false, [](auto key) { return DecodeSessionKey(key).has_value(); }},
      {"op reply", OpReplyKey(kVolume, SessionId(1), OpSeq(1)), false,
       [](auto key) { return DecodeOpReplyKey(key).has_value(); }},
  };
}

TEST(KeyCodecTest, RefusesTruncatedOversizedAndForeignKeys) {
  for (const Decoder& decoder : Decoders()) {
    SCOPED_TRACE(decoder.name);
    EXPECT_TRUE(decoder.accepts(decoder.good));
    for (std::size_t length = 0; length < decoder.good.size(); ++length)
      EXPECT_FALSE(decoder.accepts(std::string_view(decoder.good).substr(0, length))) << length << " bytes";
    EXPECT_EQ(decoder.accepts(decoder.good + "x"), decoder.has_name);
    EXPECT_FALSE(decoder.accepts(decoder.good + std::string(256, 'x')));
    std::string foreign = decoder.good;
    foreign[0] = '\x7f';
    EXPECT_FALSE(decoder.accepts(foreign));
  }
}

TEST(KeyCodecTest, TakesRandomBytesWithoutHarm) {
  SimRandom random(1);
  const std::vector<Decoder> decoders = Decoders();
  for (int i = 0; i < 2'000; ++i) {
    std::string key(random.Below(40), '\0');
    for (char& byte : key) byte = static_cast<char>(random.Below(256));
    for (const Decoder& decoder : decoders) {
      const bool right_length =
          decoder.has_name ? key.size() >= decoder.good.size() : key.size() == decoder.good.size();
      EXPECT_EQ(decoder.accepts(key), right_length && key[0] == decoder.good[0]);
    }
    EXPECT_FALSE(DescribeKey(key).empty());
  }
}

TEST(KeyCodecTest, DescribesAnyKeyForMessages) {
  EXPECT_EQ(DescribeKey(InodeKey(VolumeId(1), Ino(5))), "inode 10000000010000000000000005");
  EXPECT_EQ(DescribeKey(""), "empty key");
  EXPECT_THAT(DescribeKey("\x7f"), testing::StartsWith("unknown table"));
  EXPECT_LT(DescribeKey(std::string(100'000, 'x')).size(), 200u);
}

TEST(KeyCodecTest, AMalformedKeyIsCorruptionAndNamed) {
  const Result<VolumeId> decoded = DecodeVolumeKey(ServerKey(ServerId(1)));
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code(), ErrorCode::kCorrupt);
  EXPECT_THAT(decoded.error().message(), testing::HasSubstr("server 0400000001"));
}

}  // namespace
}  // namespace gabion
