#include "fs-client/io/reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

class ReaderTest : public CoreFixture {
 protected:
  /// The file with this content in chunk 0.
  void SetContent(const std::string& content) {
    meta_.chunks[0].set_chunk_id(70);
    meta_.chunks[0].set_pg_id(1);
    *meta_.attr.mutable_first_chunk() = meta_.chunks[0];
    meta_.attr.set_size(content.size());
    chunk1_.chunks[70] = content;
  }
};

TEST_F(ReaderTest, EndsExactlyAtTheEndOfTheFile) {
  SetContent("0123456789");
  OpenHandlePtr handle = OpenFile();
  EXPECT_EQ(Read(handle, 0, 100), "0123456789");
  EXPECT_EQ(Read(handle, 3, 4), "3456");
  EXPECT_EQ(Read(handle, 10, 4), "");
  EXPECT_EQ(Read(handle, 1'000'000, 4), "");
}

TEST_F(ReaderTest, HolesAndWhatChunksLackAreZeros) {
  SetContent("abc");
  meta_.attr.set_size(kChunkBytes + 5);
  OpenHandlePtr handle = OpenFile();
  EXPECT_EQ(Read(handle, 0, 6), std::string("abc\0\0\0", 6));
  EXPECT_EQ(Read(handle, kChunkBytes - 2, 100), std::string(7, '\0'));
}

TEST_F(ReaderTest, SeesWhatIsBeingWritten) {
  SetContent("0123456789");
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 2, "AB");
  Write(handle, 12, "CD");
  EXPECT_EQ(Read(handle, 0, 100), std::string("01AB456789\0\0CD", 14));
  EXPECT_EQ(Read(handle, 3, 1), "B");
}

TEST_F(ReaderTest, SmallReadIsOneRequest) {
  SetContent(std::string(100'000, 'x'));
  OpenHandlePtr handle = OpenFile();
  EXPECT_EQ(Read(handle, 40'960, 4096).size(), 4096u);
  EXPECT_EQ(chunk1_.calls(proto::METHOD_READ_CHUNK), 1u);
  EXPECT_TRUE(meta_.order().empty());
}

TEST_F(ReaderTest, StreamIsReadAheadAndRight) {
  std::string content(3 * kMiB, ' ');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i / 1000 % 26);
  SetContent(content);
  OpenHandlePtr handle = OpenFile();
  std::string read;
  while (read.size() < content.size()) read += Read(handle, read.size(), 65'536);
  EXPECT_EQ(read, content);
  EXPECT_LE(chunk1_.calls(proto::METHOD_READ_CHUNK), 8u) << "48 reads of the program";
}

TEST_F(ReaderTest, WritingVoidsWhatWasReadAhead) {
  SetContent(std::string(2 * kMiB, 'x'));
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Read(handle, 0, 4096);
  Read(handle, 4096, 4096);
  world_.RunFor(std::chrono::seconds(1));
  Write(handle, 300'000, "NEW");
  Flush(handle);
  EXPECT_EQ(Read(handle, 299'999, 5), "xNEWx");
}

TEST_F(ReaderTest, DirectReadsAreNotReadAhead) {
  SetContent(std::string(2 * kMiB, 'x'));
  OpenHandlePtr handle = OpenFile(O_RDONLY | O_DIRECT);
  for (std::uint64_t offset = 0; offset < 10 * 4096; offset += 4096) Read(handle, offset, 4096);
  EXPECT_EQ(chunk1_.calls(proto::METHOD_READ_CHUNK), 10u);
}

}  // namespace
}  // namespace gabion
