#include "common/base/checksum.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace gabion {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Checksums are kept on disk for ever: XXH3-64 with seed 0, and nothing else.
TEST(ChecksumTest, IsXxh3WithoutSeed) {
  EXPECT_EQ(ChecksumOf(Bytes("")), 0x2d06800538d394c2u);
}

TEST(ChecksumTest, ZeroBlockIsThatOfABlockOfZeros) {
  const std::string zeros(kBlockBytes, '\0');
  EXPECT_EQ(ZeroBlockChecksum(), ChecksumOf(Bytes(zeros)));
}

TEST(ChecksumTest, PiecesAreCutAtBlocks) {
  const std::string text(3 * kBlockBytes, 'x');
  const std::string_view all = text;
  EXPECT_TRUE(PieceChecksums(5, Bytes("")).empty());

  const auto aligned = PieceChecksums(kBlockBytes, Bytes(all.substr(0, 2 * kBlockBytes)));
  ASSERT_EQ(aligned.size(), 2u);
  EXPECT_EQ(aligned[0], ChecksumOf(Bytes(all.substr(0, kBlockBytes))));

  // From byte 100 of a block to byte 1 of the one after the next.
  const auto crooked = PieceChecksums(kBlockBytes + 100, Bytes(all.substr(0, 2 * kBlockBytes - 99)));
  ASSERT_EQ(crooked.size(), 3u);
  EXPECT_EQ(crooked[0], ChecksumOf(Bytes(all.substr(0, kBlockBytes - 100))));
  EXPECT_EQ(crooked[1], ChecksumOf(Bytes(all.substr(0, kBlockBytes))));
  EXPECT_EQ(crooked[2], ChecksumOf(Bytes("x")));

  EXPECT_EQ(PieceChecksums(100, Bytes("x")).size(), 1u);
}

}  // namespace
}  // namespace gabion
