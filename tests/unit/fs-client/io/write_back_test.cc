#include "fs-client/io/write_back.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <numeric>

#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

using testing::Each;
using testing::ElementsAre;

class WriteBackTest : public CoreFixture {
 protected:
  Result<void> Sync(const OpenHandlePtr& handle, bool data_only = false) {
    return Run(write_back_.Sync(&loop_, handle->inode, data_only));
  }

  static ErrorCode SyncErrorOf(const OpenHandlePtr& handle) {
    const Result<void> told = WriteBack::TakeErrorForSync(*handle);
    return told ? ErrorCode::kOk : told.error().code();
  }
  std::uint64_t ErrorsOfLosingTheLeaseDuringTheLastCommit(ErrorCode answer) {
    OpenHandlePtr handle = OpenFile(O_RDWR);
    Write(handle, 0, "hello");
    OpenInodePtr inode = handle->inode;
    files_.Close(handle);
    auto commit = [&](const proto::CommitWriteRequest& request) -> Result<proto::CommitWriteReply> {
      EXPECT_NE(request.downgrade(), 0u);
      files_.LoseWrites({inode->ino()});
      if (answer != ErrorCode::kOk) return Error(answer, "as the test wants");
      proto::CommitWriteReply reply;
      meta_.attr.set_data_version(meta_.attr.data_version() + 1);
      *reply.mutable_attr() = meta_.attr;
      return reply;
    };
    meta_.On<proto::CommitWriteRequest, proto::CommitWriteReply>(proto::METHOD_COMMIT_WRITE, commit);
    Run(write_back_.FlushAll(&loop_, inode));
    EXPECT_TRUE(inode->dirty.empty());
    EXPECT_FALSE(inode->lost) << "nothing is left to be lost";
    return inode->errors.count;
  }
};

TEST_F(WriteBackTest, NothingIsSentBeforeSomebodyAsks) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 0u);
  EXPECT_EQ(handle->inode->Size(), 5u);
}

TEST_F(WriteBackTest, SmallWritesBecomeOneFrameAndOneCommit) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  for (std::uint64_t i = 0; i < 1000; ++i) Write(handle, i * 10, "0123456789");
  Flush(handle);
  EXPECT_THAT(chunk1_.write_sizes, ElementsAre(10'000u));
  EXPECT_THAT(meta_.commit_ends, ElementsAre(10'000u));
  EXPECT_EQ(Stored(0).size(), 10'000u);
  EXPECT_EQ(memory_.used(), 0u);
}

/// DESIGN 4.5: data reaches the replicas before the size that exposes it reaches the metaserver.
TEST_F(WriteBackTest, DataComesBeforeTheSize) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  meta_.On<proto::CommitWriteRequest, proto::CommitWriteReply>(
      proto::METHOD_COMMIT_WRITE, [this](const proto::CommitWriteRequest& request) -> Result<proto::CommitWriteReply> {
        EXPECT_GE(Stored(0).size(), request.end_bytes());
        proto::CommitWriteReply reply;
        meta_.attr.set_data_version(meta_.attr.data_version() + 1);
        *reply.mutable_attr() = meta_.attr;
        return reply;
      });
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kUnavailable, 3);
  Write(handle, 0, std::string(100'000, 'x'));
  Flush(handle);
  EXPECT_EQ(meta_.calls(proto::METHOD_COMMIT_WRITE), 1u);
}

TEST_F(WriteBackTest, CommitTellsWhichChunksWereWritten) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  std::vector<proto::WrittenChunk> told;
  meta_.On<proto::CommitWriteRequest, proto::CommitWriteReply>(
      proto::METHOD_COMMIT_WRITE, [&](const proto::CommitWriteRequest& request) -> Result<proto::CommitWriteReply> {
        told.insert(told.end(), request.written().begin(), request.written().end());
        proto::CommitWriteReply reply;
        meta_.attr.set_data_version(meta_.attr.data_version() + 1);
        *reply.mutable_attr() = meta_.attr;
        return reply;
      });
  Write(handle, kChunkBytes - 10, std::string(20, 'x'));
  Flush(handle);
  ASSERT_EQ(told.size(), 2u);
  for (std::uint64_t index : {0, 1}) {
    EXPECT_EQ(told[index].index(), index);
    EXPECT_EQ(told[index].chunk_id(), meta_.chunks[index].chunk_id());
  }
}

/// A session that is resumed while the commit is under way does not have the lease any more, if that was done.
TEST_F(WriteBackTest, WhoGaveItsLeaseBackWithACommitHasLostNothing) {
  EXPECT_EQ(ErrorsOfLosingTheLeaseDuringTheLastCommit(ErrorCode::kOk), 0u);
}

TEST_F(WriteBackTest, WhoLostItsLeaseBeforeTheLastCommitHearsOfIt) {
  EXPECT_EQ(ErrorsOfLosingTheLeaseDuringTheLastCommit(ErrorCode::kLeaseLost), 1u);
}

/// A file that is opened and written again while its last commit is under way.
TEST_F(WriteBackTest, WhatWasWrittenUnderALaterLeaseThanACommitGaveBackIsLostWithThatOne) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  OpenInodePtr inode = handle->inode;
  files_.Close(handle);
  OpenHandlePtr again;
  auto commit = [&](const proto::CommitWriteRequest& request) -> Result<proto::CommitWriteReply> {
    EXPECT_NE(request.downgrade(), 0u);
    const HandleId id = files_.NextHandle();
    EXPECT_TRUE(files_.Announce(id, inode->ino()));
    again = files_.Finish(id, meta_.attr, O_RDWR, false).handle;
    GrantWrite(inode->ino(), 1'000'001);
    Write(again, 5, " there");
    files_.LoseWrites({inode->ino()});
    proto::CommitWriteReply reply;
    meta_.attr.set_data_version(meta_.attr.data_version() + 1);
    *reply.mutable_attr() = meta_.attr;
    return reply;
  };
  meta_.On<proto::CommitWriteRequest, proto::CommitWriteReply>(proto::METHOD_COMMIT_WRITE, commit);
  Run(write_back_.FlushAll(&loop_, inode));
  Flush(again);
  EXPECT_EQ(SyncErrorOf(again), ErrorCode::kIo);
  EXPECT_EQ(meta_.calls(proto::METHOD_COMMIT_WRITE), 1u);
  EXPECT_TRUE(inode->dirty.empty());
}

TEST_F(WriteBackTest, WhatIsWrittenBeforeACommitThatGaveItsLeaseBackIsSettledIsNotLostWithIt) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  OpenInodePtr inode = handle->inode;
  files_.Close(handle);
  OpenHandlePtr again;
  const std::string more = " there";
  auto commit = [&](const proto::CommitWriteRequest& request) -> Result<proto::CommitWriteReply> {
    if (request.downgrade() != 0) {
      const HandleId id = files_.NextHandle();
      EXPECT_TRUE(files_.Announce(id, inode->ino()));
      again = files_.Finish(id, meta_.attr, O_RDWR, false).handle;
      files_.LoseWrites({inode->ino()});  // as it is answered when the session is resumed
      GrantWrite(inode->ino(), 1'000'001);
      EXPECT_EQ(write_back_.TryWrite(&loop_, inode, 5, std::as_bytes(std::span(more)), {}), WriteBack::Verdict::kWait);
    }
    proto::CommitWriteReply reply;
    meta_.attr.set_data_version(meta_.attr.data_version() + 1);
    *reply.mutable_attr() = meta_.attr;
    return reply;
  };
  meta_.On<proto::CommitWriteRequest, proto::CommitWriteReply>(proto::METHOD_COMMIT_WRITE, commit);
  Run(write_back_.FlushAll(&loop_, inode));
  Write(again, 5, more);
  Flush(again);
  EXPECT_EQ(SyncErrorOf(again), ErrorCode::kOk);
  EXPECT_EQ(meta_.calls(proto::METHOD_COMMIT_WRITE), 2u);
}

/// The metaserver may hear that the session goes on, and answer so, before its client knows what it still has.
TEST_F(WriteBackTest, ACommitFromBeforeTheSessionWasResumedIsMadeAnew) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  auto resume = [](MetaSession& session, ClientLoop* loop) -> Task<void> {
    const std::uint64_t generation = session.state()->generation;
    (void)co_await session.Recover(loop, generation, Patience::Endless());
  };
  std::vector<std::uint64_t> numbers;
  auto commit = [&](const proto::CommitWriteRequest& request) -> Result<proto::CommitWriteReply> {
    numbers.push_back(request.resumed_at());
    if (numbers.size() == 1) {
      tasks_.Spawn(loop_.env().executor, resume(session_, &loop_));
      return Error(ErrorCode::kResumed, "as the test wants");
    }
    proto::CommitWriteReply reply;
    meta_.attr.set_data_version(meta_.attr.data_version() + 1);
    *reply.mutable_attr() = meta_.attr;
    return reply;
  };
  meta_.On<proto::CommitWriteRequest, proto::CommitWriteReply>(proto::METHOD_COMMIT_WRITE, commit);
  Flush(handle);
  ASSERT_EQ(numbers.size(), 2u);
  EXPECT_NE(numbers[0], numbers[1]);
  EXPECT_EQ(SyncErrorOf(handle), ErrorCode::kOk);
}

TEST_F(WriteBackTest, WhatTheMetaserverLostWithItsPowerIsToldUnlessItWasSynced) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  Flush(handle);
  files_.DoubtVersions(false);
  EXPECT_EQ(SyncErrorOf(handle), ErrorCode::kOk) << "it was only another process";
  files_.DoubtVersions(true);
  EXPECT_EQ(SyncErrorOf(handle), ErrorCode::kIo);
  Write(handle, 0, "hello");
  ASSERT_TRUE(Sync(handle).has_value());
  files_.DoubtVersions(true);
  EXPECT_EQ(SyncErrorOf(handle), ErrorCode::kOk);
}

TEST_F(WriteBackTest, WhatWasWrittenUnderALostLeaseIsNotSentUnderALaterOne) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kUnavailable, 1);
  tasks_.Spawn(loop_.env().executor, write_back_.FlushAll(&loop_, handle->inode));
  world_.RunFor(std::chrono::milliseconds(10));
  ASSERT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 1u);
  files_.LoseWrites({handle->inode->ino()});
  GrantWrite(handle->inode->ino(), 1'000'001);
  world_.RunFor(std::chrono::seconds(10));
  EXPECT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 1u);
  EXPECT_EQ(SyncErrorOf(handle), ErrorCode::kIo);
}

TEST_F(WriteBackTest, LargeWritesStreamWithoutAsking) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  std::string part(kMiB, 'x');
  for (std::uint64_t i = 0; i < 6; ++i) Write(handle, i * kMiB, part);
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(std::accumulate(chunk1_.write_sizes.begin(), chunk1_.write_sizes.end(), 0u), 6 * kMiB);
  EXPECT_THAT(chunk1_.write_sizes, Each(testing::Le(kMaxPayloadBytes)));
  Flush(handle);
  EXPECT_EQ(meta_.attr.size(), 6 * kMiB);
}

TEST_F(WriteBackTest, MemoryIsBounded) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kUnavailable, 10);
  std::string part(kMiB, 'x');
  auto bytes = std::as_bytes(std::span(part));
  std::uint64_t offset = 0;
  constexpr auto kTaken = WriteBack::Verdict::kTaken;
  while (write_back_.TryWrite(&loop_, handle->inode, offset, bytes, {}) == kTaken) offset += kMiB;
  EXPECT_EQ(memory_.used(), kMemoryBytes);
  auto write_all = [](WriteBack& back, ClientLoop* loop, OpenInodePtr inode, std::span<const std::byte> data,
                      std::uint64_t from) -> Task<void> {
    for (std::uint64_t at = from; at < 30 * kMiB; at += kMiB) {
      while (back.TryWrite(loop, inode, at, data, {}) != kTaken) co_await back.AwaitRoom(loop, inode);
    }
  };
  Run(write_all(write_back_, &loop_, handle->inode, bytes, offset));
  EXPECT_LE(memory_.used(), kMemoryBytes);
  Flush(handle);
  EXPECT_EQ(meta_.attr.size(), 30 * kMiB);
  EXPECT_EQ(memory_.used(), 0u);
}

TEST_F(WriteBackTest, AppendsGoToTheEndWithWhatIsGathered) {
  meta_.attr.set_size(3);
  meta_.chunks[0].set_chunk_id(70);
  meta_.chunks[0].set_pg_id(1);
  *meta_.attr.mutable_first_chunk() = meta_.chunks[0];
  chunk1_.chunks[70] = "abc";
  OpenHandlePtr one = OpenFile(O_WRONLY | O_APPEND);
  OpenHandlePtr two = OpenFile(O_WRONLY | O_APPEND);
  Write(one, 0, "111", true);
  Write(two, 0, "222", true);
  Write(one, 0, "333", true);
  Flush(one);
  EXPECT_EQ(Stored(0), "abc111222333");
}

TEST_F(WriteBackTest, EachHandleHearsOfAFailureOnce) {
  OpenHandlePtr one = OpenFile(O_RDWR);
  OpenHandlePtr two = OpenFile(O_RDWR);
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kNoSpace, 100);
  Write(one, 0, "hello");
  Flush(one);
  EXPECT_EQ(WriteBack::TakeErrorForSync(*one).error().code(), ErrorCode::kNoSpace);
  EXPECT_TRUE(WriteBack::TakeErrorForSync(*one).has_value());
  EXPECT_TRUE(WriteBack::TakeErrorForWrite(*one).has_value());
  EXPECT_EQ(WriteBack::TakeErrorForWrite(*two).error().code(), ErrorCode::kNoSpace);
  EXPECT_EQ(WriteBack::TakeErrorForSync(*two).error().code(), ErrorCode::kNoSpace);
  OpenHandlePtr later = OpenFile(O_RDWR);
  EXPECT_TRUE(WriteBack::TakeErrorForSync(*later).has_value());
  EXPECT_TRUE(meta_.commit_ends.empty()) << "what was not stored is not shown";
  EXPECT_EQ(memory_.used(), 0u);
}

TEST_F(WriteBackTest, SmallSyncedWriteIsOneRoundToTheDataAndOneToTheMetadata) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, std::string(4096, 'x'));
  ASSERT_TRUE(Sync(handle).has_value());
  chunk1_.write_syncs.clear();
  meta_.ForgetOrder();
  chunk1_.ForgetOrder();
  Write(handle, 0, std::string(4096, 'y'));
  ASSERT_TRUE(Sync(handle).has_value());
  EXPECT_THAT(chunk1_.order(), ElementsAre(proto::METHOD_WRITE_CHUNK));
  EXPECT_EQ(chunk1_.write_syncs, std::vector<bool>{true});
  EXPECT_THAT(meta_.order(), ElementsAre(proto::METHOD_COMMIT_WRITE, proto::METHOD_SYNC_META));
  meta_.ForgetOrder();
  Write(handle, 0, std::string(4096, 'z'));
  ASSERT_TRUE(Sync(handle, true).has_value());
  EXPECT_THAT(meta_.order(), ElementsAre(proto::METHOD_COMMIT_WRITE)) << "fdatasync of an overwrite needs no more";
}

TEST_F(WriteBackTest, SyncCoversWhatWasStoredBefore) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "stored");
  Flush(handle);
  EXPECT_EQ(chunk1_.calls(proto::METHOD_SYNC_CHUNKS), 0u);
  ASSERT_TRUE(Sync(handle).has_value());
  EXPECT_EQ(chunk1_.calls(proto::METHOD_SYNC_CHUNKS), 1u);
  ASSERT_TRUE(Sync(handle).has_value());
  EXPECT_EQ(chunk1_.calls(proto::METHOD_SYNC_CHUNKS), 1u);
}

/// Another client cut the file while our data was on its way: what landed may be gone, so it is stored again.
TEST_F(WriteBackTest, ForeignChangeMakesTheDataGoAgain) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  meta_.attr.set_data_version(meta_.attr.data_version() + 1);
  Flush(handle);
  EXPECT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 2u);
  EXPECT_EQ(meta_.calls(proto::METHOD_COMMIT_WRITE), 2u);
  EXPECT_EQ(Stored(0), "hello");
}

TEST_F(WriteBackTest, GrowthWaitsForAForeignCut) {
  meta_.attr.set_size(6);
  meta_.chunks[0].set_chunk_id(70);
  meta_.chunks[0].set_pg_id(1);
  *meta_.attr.mutable_first_chunk() = meta_.chunks[0];
  chunk1_.chunks[70] = "abcdef";
  OpenHandlePtr handle = OpenFile(O_RDWR);
  meta_.attr.set_size(3);
  meta_.attr.set_data_version(meta_.attr.data_version() + 1);
  proto::TrimMark& mark = *meta_.attr.mutable_trim();
  *mark.mutable_chunk() = meta_.attr.first_chunk();
  mark.set_length_bytes(3);
  mark.set_generation(1);
  Write(handle, 8, "xy");
  Flush(handle);
  EXPECT_EQ(Stored(0), std::string("abc\0\0\0\0\0xy", 10));
  EXPECT_EQ(meta_.attr.size(), 10u);
}

TEST_F(WriteBackTest, OldDataIsSentByItself) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  tasks_.Spawn(here_.env().executor, write_back_.AgeUntilStopped(&loop_));
  Write(handle, 0, "hello");
  world_.RunFor(std::chrono::seconds(3));
  EXPECT_EQ(Stored(0), "hello");
  EXPECT_EQ(meta_.attr.size(), 5u);
  write_back_.StopAgeing();
}

TEST_F(WriteBackTest, AFailureThatNobodyWasToldOfIsForWhoeverOpensTheFileNext) {
  OpenHandlePtr closed = OpenFile(O_RDWR);
  Write(closed, 0, "hello");
  files_.Close(closed);
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kNoSpace, 100);
  Flush(closed);
  EXPECT_EQ(files_.FindInode(Ino(50)), nullptr);
  OpenHandlePtr next = OpenFile(O_RDWR);
  EXPECT_TRUE(WriteBack::TakeErrorForWrite(*next).has_value());
  EXPECT_EQ(WriteBack::TakeErrorForSync(*next).error().code(), ErrorCode::kNoSpace);
  files_.Close(next);
  EXPECT_TRUE(WriteBack::TakeErrorForSync(*OpenFile(O_RDWR)).has_value());
}

TEST_F(WriteBackTest, WhatIsRemovedWhileNobodyHasItOpenIsNotSent) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  const HandleId there[] = {handle->id};
  EXPECT_EQ(files_.MarkRemoved(Ino(50), {}), nullptr) << "it is open";
  files_.Close(handle);
  OpenInodePtr removed = files_.MarkRemoved(Ino(50), there);
  ASSERT_NE(removed, nullptr);
  EXPECT_FALSE(files_.Announce(files_.NextHandle(), Ino(50))) << "what was written to it goes";
  write_back_.Discard(&loop_, removed);
  EXPECT_EQ(files_.FindInode(Ino(50)), nullptr);
  EXPECT_EQ(memory_.used(), 0u);
  EXPECT_FALSE(write_back_.IsDirty());
}

TEST_F(WriteBackTest, WhatIsBeingOpenedIsNotDiscarded) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  files_.Close(handle);
  const HandleId opening = files_.NextHandle();
  EXPECT_TRUE(files_.Announce(opening, Ino(50)));
  EXPECT_EQ(files_.MarkRemoved(Ino(50), {}), nullptr) << "it is opened by number";
  files_.Abandon(opening);
  const HandleId creating = files_.NextHandle();
  EXPECT_TRUE(files_.Announce(creating, Ino(51)));
  EXPECT_EQ(files_.MarkRemoved(Ino(50), std::span(&creating, 1)), nullptr) << "it is opened by name";
  files_.Abandon(creating);
  EXPECT_NE(files_.MarkRemoved(Ino(50), std::span(&creating, 1)), nullptr);
}

class SoftWriteBackTest : public CoreFixture {
 protected:
  SoftWriteBackTest() : CoreFixture(std::chrono::seconds(10)) {}
};

TEST_F(SoftWriteBackTest, WaitingForTheSessionIsGivenUp) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  Write(handle, 0, "hello");
  world_.RunFor(std::chrono::hours(1));  // the session may have lapsed
  const TimePoint begin = loop_.Now();
  Flush(handle);
  EXPECT_GE(loop_.Now() - begin, std::chrono::seconds(10));
  EXPECT_LE(loop_.Now() - begin, std::chrono::seconds(11));
  EXPECT_EQ(WriteBack::TakeErrorForSync(*handle).error().code(), ErrorCode::kIo);
  EXPECT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 0u);
}

TEST_F(WriteBackTest, FlushEverythingEndsAtItsDeadline) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kUnavailable, 100'000);
  Write(handle, 0, "hello");
  EXPECT_FALSE(Run(write_back_.FlushEverything(&loop_, loop_.Now() + std::chrono::seconds(5))));
}

}  // namespace
}  // namespace gabion
