#include "metaserver/store/record_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/env/sim/sim_random.h"
#include "metaserver/store/key_codec.h"
#include "metaserver/store/records.pb.h"

namespace gabion {
namespace {

const std::string kKey = InodeKey(VolumeId(1), Ino(5));

records::Inode SomeInode() {
  records::Inode inode;
  inode.set_mode(0100644);
  inode.set_size(12345);
  inode.set_mtime_ns(-1);
  inode.mutable_first_chunk()->set_chunk_id(7);
  inode.set_symlink_target(std::string("\0bytes", 6));
  return inode;
}

TEST(RecordCodecTest, ARecordIsAVersionByteAndItsMessage) {
  records::Counter counter;
  counter.set_next(300);
  EXPECT_EQ(EncodeRecord(counter), std::string("\x01\x08\xac\x02"));
  EXPECT_EQ(EncodeRecord(records::Orphan()), std::string("\x01"));
}

TEST(RecordCodecTest, DecodesWhatItEncoded) {
  const records::Inode inode = SomeInode();
  const Result<records::Inode> decoded = DecodeRecord<records::Inode>(kKey, EncodeRecord(inode));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->SerializeAsString(), inode.SerializeAsString());
}

TEST(RecordCodecTest, RefusesUnknownVersionsAndSaysWhatToDo) {
  std::string bytes = EncodeRecord(SomeInode());
  bytes[0] = 2;
  const Result<records::Inode> decoded = DecodeRecord<records::Inode>(kKey, bytes);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code(), ErrorCode::kVersionMismatch);
  EXPECT_THAT(decoded.error().message(), testing::HasSubstr("inode 10000000010000000000000005"));
  EXPECT_THAT(decoded.error().message(), testing::HasSubstr("start the release that wrote it"));
}

TEST(RecordCodecTest, RefusesAnEmptyValue) {
  EXPECT_EQ(DecodeRecord<records::Orphan>(kKey, "").error().code(), ErrorCode::kCorrupt);
}

TEST(RecordCodecTest, TruncatedRecordsAreRefusedOrLackTheirLastFields) {
  const std::string bytes = EncodeRecord(SomeInode());
  std::size_t refused = 0;
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    const Result<records::Inode> decoded =
        DecodeRecord<records::Inode>(kKey, std::string_view(bytes).substr(0, length));
    if (!decoded) {
      EXPECT_EQ(decoded.error().code(), ErrorCode::kCorrupt);
      ++refused;
    } else {
      EXPECT_TRUE(decoded->symlink_target().empty());  // a cut between two fields is a shorter message
    }
  }
  EXPECT_GT(refused, bytes.size() / 2);
}

TEST(RecordCodecTest, KeepsFieldsOfNewerPrograms) {
  const std::string bytes = EncodeRecord(SomeInode()) + "\xf8\x3f\x2a";  // field 1023 with the number 42
  const Result<records::Inode> decoded = DecodeRecord<records::Inode>(kKey, bytes);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->size(), 12345u);
  EXPECT_THAT(EncodeRecord(*decoded), testing::EndsWith("\xf8\x3f\x2a"));
}

TEST(RecordCodecTest, KeepsTextThatIsNotUtf8) {
  records::Session session;
  session.set_mountpoint("/mnt/\xe4");
  EXPECT_EQ(DecodeRecord<records::Session>(kKey, EncodeRecord(session))->mountpoint(), "/mnt/\xe4");
}

TEST(RecordCodecTest, TakesRandomBytesWithoutHarm) {
  SimRandom random(2);
  for (int i = 0; i < 5'000; ++i) {
    std::string bytes(1 + random.Below(60), '\x01');
    for (std::size_t at = 1; at < bytes.size(); ++at) bytes[at] = static_cast<char>(random.Below(256));
    records::Inode inode;
    records::Session session;
    records::Group group;
    for (google::protobuf::MessageLite* message :
         std::initializer_list<google::protobuf::MessageLite*>{&inode, &session, &group}) {
      const Result<void> decoded = DecodeRecordInto(kKey, bytes, *message);
      if (!decoded) {
        EXPECT_EQ(decoded.error().code(), ErrorCode::kCorrupt);
      }
    }
  }
}

}  // namespace
}  // namespace gabion
