#include "fs-client/vfs/volume_vfs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "fs-client/vfs/open_file_uses.h"
#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

using testing::ElementsAre;

constexpr Caller kUser{1000, 1000, 0};
constexpr Ino kFile(50), kDirectory(8);

/// Of the operations, what goes beyond one request.
class VolumeVfsTest : public CoreFixture {
 protected:
  VolumeVfsTest() {
    meta_.On<proto::AcquireWriteRequest, proto::AcquireWriteReply>(
        proto::METHOD_ACQUIRE_WRITE, [this](const auto&) -> Result<proto::AcquireWriteReply> {
          proto::AcquireWriteReply reply;
          *reply.mutable_attr() = meta_.attr;
          reply.mutable_attr()->set_write_leased(true);
          reply.mutable_note()->set_number(++last_number_);
          return reply;
        });
    meta_.On<proto::SetAttrRequest, proto::SetAttrReply>(
        proto::METHOD_SET_ATTR, [this](const proto::SetAttrRequest& request) -> Result<proto::SetAttrReply> {
          EXPECT_TRUE(request.kill_suid_sgid());
          proto::SetAttrReply reply;
          meta_.attr.set_ctime_ns(meta_.attr.ctime_ns() + 1000);
          *reply.mutable_attr() = meta_.attr;
          return reply;
        });
    meta_.On<proto::LookupRequest, proto::LookupReply>(proto::METHOD_LOOKUP,
                                                       [this](const auto&) -> Result<proto::LookupReply> {
                                                         proto::LookupReply reply;
                                                         *reply.mutable_attr() = meta_.attr;
                                                         return reply;
                                                       });
    meta_.On<proto::RenameRequest, proto::RenameReply>(
        proto::METHOD_RENAME, [](const auto&) -> Result<proto::RenameReply> { return proto::RenameReply(); });
    chunk1_.On<proto::ZeroChunkRequest, proto::ZeroChunkReply>(
        proto::METHOD_ZERO_CHUNK, [this](const proto::ZeroChunkRequest& request) -> Result<proto::ZeroChunkReply> {
          std::string& content = chunk1_.chunks[request.target().chunk_id()];
          content.replace(request.offset_bytes(), request.length_bytes(), request.length_bytes(), '\0');
          return proto::ZeroChunkReply();
        });
  }
  ~VolumeVfsTest() override {
    session_.StopWaiting();
    Run(loop_.Stop());
    Run(tasks_.Join());
  }

  Result<void> Write(const OpenHandlePtr& handle, std::uint64_t offset, const std::string& bytes, bool kill = false) {
    return Run(vfs_.Write(kUser, kFile, handle->id, offset, std::as_bytes(std::span(bytes)), kill));
  }
  Result<void> Rename(std::uint32_t flags = 0) {
    return Run(vfs_.Rename(kUser, kDirectory, "new", kDirectory, "old", flags));
  }
  proto::LeaseNote Note() {
    proto::LeaseNote note;
    note.set_number(++last_number_);
    note.set_asked(leases_.cache().generation());
    return note;
  }
  proto::Recall WriteRecall() {
    proto::Recall recall;
    recall.set_ino(kFile.value());
    recall.set_number(++last_number_);
    recall.set_write(true);
    return recall;
  }
  std::int64_t ShownCtime() {
    Result<Attributes> attributes = Run(vfs_.GetAttr(kUser, kFile, std::nullopt));
    EXPECT_TRUE(attributes.has_value());
    return attributes ? attributes->attr.ctime_ns : 0;
  }

  std::uint64_t last_number_ = 2'000'000;
  FileLocks file_locks_{calls_, leases_.cache(), locks_};
  ReleaseQueue releases_{calls_, session_, tasks_};
  HandleNaming naming_{files_, calls_, session_, releases_};
  OpenFileUses recalled_{files_, write_back_, naming_, file_locks_, leases_.cache(), kernel_, tasks_};
  VolumeVfs vfs_{{{&loop_},
                  session_,
                  calls_,
                  leases_,
                  file_locks_,
                  chunks_,
                  places_,
                  reader_,
                  write_back_,
                  files_,
                  naming_,
                  releases_,
                  kernel_,
                  root_,
                  tasks_}};
};

TEST_F(VolumeVfsTest, PrivilegesGoBeforeTheWriteIsTakenIn) {
  OpenHandlePtr handle = OpenFile(O_RDWR);  // it may have capabilities
  ASSERT_TRUE(Write(handle, 0, "one", true).has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_SET_ATTR), 1u);
  ASSERT_TRUE(Write(handle, 3, "two", true).has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_SET_ATTR), 1u) << "nothing was changed since";
  meta_.attr.set_ctime_ns(meta_.attr.ctime_ns() + 1);
  Flush(handle);
  ASSERT_TRUE(Write(handle, 6, "three", true).has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_SET_ATTR), 2u);
  ASSERT_TRUE(Write(handle, 6, "three").has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_SET_ATTR), 2u) << "root takes nothing away";
}

TEST_F(VolumeVfsTest, WhatHasNoPrivilegesIsWrittenAtOnce) {
  meta_.attr.set_has_no_xattrs(true);
  OpenHandlePtr handle = OpenFile(O_RDWR);
  ASSERT_TRUE(Write(handle, 0, "one", true).has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_SET_ATTR), 0u);
  meta_.attr.set_mode(meta_.attr.mode() | S_ISUID);
  meta_.attr.set_ctime_ns(meta_.attr.ctime_ns() + 1);
  (void)ShownCtime();
  ASSERT_TRUE(Write(handle, 0, "two", true).has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_SET_ATTR), 1u);
}

TEST_F(VolumeVfsTest, AClockThatStandsBehindHoldsUpNoWrite) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  meta_.attr.set_ctime_ns(-5000);  // of what follows
  ASSERT_TRUE(Write(handle, 0, "one", true).has_value());
  ASSERT_TRUE(Write(handle, 0, "two", true).has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_SET_ATTR), 2u);
}

TEST_F(VolumeVfsTest, TheCommitChangesNothingThatIsShown) {
  meta_.attr.set_ctime_ns(10'000'000'000'000'000);
  meta_.On<proto::CommitWriteRequest, proto::CommitWriteReply>(
      proto::METHOD_COMMIT_WRITE, [this](const proto::CommitWriteRequest& request) -> Result<proto::CommitWriteReply> {
        meta_.attr.set_data_version(meta_.attr.data_version() + 1);
        meta_.attr.set_size(std::max(meta_.attr.size(), request.end_bytes()));
        meta_.attr.set_mtime_ns(request.mtime_ns());
        meta_.attr.set_ctime_ns(std::max(request.mtime_ns(), meta_.attr.ctime_ns() + 1));
        proto::CommitWriteReply reply;
        *reply.mutable_attr() = meta_.attr;
        return reply;
      });
  OpenHandlePtr handle = OpenFile(O_RDWR);
  for (std::int64_t ctime_ns : {std::int64_t{10'000'000'000'000'000}, std::int64_t{1}}) {
    meta_.attr.set_ctime_ns(ctime_ns);
    ASSERT_TRUE(Write(handle, 0, "one").has_value());
    const std::int64_t before = ShownCtime();
    Flush(handle);
    EXPECT_EQ(ShownCtime(), before);
    meta_.attr.set_data_version(meta_.attr.data_version() + 1);  // a new ctime, also if it is smaller
  }
}

TEST_F(VolumeVfsTest, WhatReplacesAFileIsSentFirst) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  ASSERT_TRUE(Write(handle, 0, "content").has_value());
  meta_.ForgetOrder();
  ASSERT_TRUE(Rename().has_value());
  EXPECT_EQ(Stored(0), "content");
  EXPECT_EQ(meta_.order().back(), proto::METHOD_RENAME);
  EXPECT_EQ(meta_.calls(proto::METHOD_COMMIT_WRITE), 1u);
  meta_.ForgetOrder();
  ASSERT_TRUE(Rename().has_value());
  EXPECT_THAT(meta_.order(), ElementsAre(proto::METHOD_RENAME)) << "nothing is gathered";
}

TEST_F(VolumeVfsTest, WhatReplacesNothingNeedsNotBeSent) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  ASSERT_TRUE(Write(handle, 0, "content").has_value());
  const proto::LeaseNote note = Note();
  leases_.cache().LearnEntry(note, kDirectory, "new", kFile, S_IFREG, loop_.Now());
  leases_.cache().LearnEntry(note, kDirectory, "old", Ino(), 0, loop_.Now());
  meta_.ForgetOrder();
  ASSERT_TRUE(Rename().has_value());
  ASSERT_TRUE(Rename(1).has_value());
  EXPECT_THAT(meta_.order(), ElementsAre(proto::METHOD_RENAME, proto::METHOD_RENAME));
  EXPECT_FALSE(handle->inode->dirty.empty());
}

TEST_F(VolumeVfsTest, AKnownNameNeedsNoLookup) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  ASSERT_TRUE(Write(handle, 0, "content").has_value());
  leases_.cache().LearnEntry(Note(), kDirectory, "new", kFile, S_IFREG, loop_.Now());
  ASSERT_TRUE(Rename().has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_LOOKUP), 0u);
  EXPECT_EQ(Stored(0), "content");
}

TEST_F(VolumeVfsTest, ZeroesAreSentUnderAWriteLease) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  ASSERT_TRUE(Write(handle, 0, "content").has_value());
  Flush(handle);
  const LeaseCache::WriteRecall recalled = Run(recalled_.TakeBack(&loop_, 0, WriteRecall()));
  ASSERT_TRUE(recalled.flushing.has_value());
  leases_.cache().Returned(kFile, *recalled.flushing);
  meta_.ForgetOrder();
  ASSERT_TRUE(Run(vfs_.Fallocate(kUser, kFile, handle->id, FallocateMode::kPunchHole, 0, 3)).has_value());
  EXPECT_EQ(meta_.order().front(), proto::METHOD_ACQUIRE_WRITE);
  EXPECT_EQ(meta_.order().back(), proto::METHOD_COMMIT_WRITE);
  EXPECT_EQ(Stored(0), std::string("\0\0\0tent", 7));
}

TEST_F(VolumeVfsTest, ALeaseThatIsLostWhileZeroingIsAskedForAgain) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  ASSERT_TRUE(Write(handle, 0, "content").has_value());
  Flush(handle);
  meta_.FailNext(proto::METHOD_COMMIT_WRITE, ErrorCode::kLeaseLost);
  ASSERT_TRUE(Run(vfs_.Fallocate(kUser, kFile, handle->id, FallocateMode::kPunchHole, 0, 3)).has_value());
  EXPECT_EQ(chunk1_.calls(proto::METHOD_ZERO_CHUNK), 2u);
}

TEST_F(VolumeVfsTest, ALeaseStaysWhileTheFileIsInExclusiveUse) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  bool taken = false;
  auto take = [&](proto::Recall recall) -> Task<void> {
    (void)co_await recalled_.TakeBack(&loop_, 0, recall);
    taken = true;
  };
  {
    const ExclusiveUse exclusive = Run(ExclusiveUse::Of(handle->inode));
    tasks_.Spawn(here_.env().executor, take(WriteRecall()));
    world_.RunFor(std::chrono::seconds(5));
    EXPECT_FALSE(taken);
    EXPECT_TRUE(leases_.cache().MayWrite(kFile, loop_.Now()));
  }
  world_.RunFor(std::chrono::milliseconds(1));
  EXPECT_TRUE(taken);
  EXPECT_FALSE(leases_.cache().MayWrite(kFile, loop_.Now()));
  const ExclusiveUse exclusive = Run(ExclusiveUse::Of(handle->inode));
  EXPECT_FALSE(Run(recalled_.TakeBack(&loop_, 0, WriteRecall())).flushing.has_value()) << "there is none to be kept";
}

TEST_F(VolumeVfsTest, ReadsPastThePageCacheLookWhetherTheFileIsNew) {
  for (std::uint32_t flags : {O_RDWR | O_APPEND, O_RDONLY | O_DIRECT, O_RDWR, O_RDONLY | O_APPEND}) {
    const OpenHandlePtr handle = OpenFile(flags);
    const bool is_direct = flags == (O_RDWR | O_APPEND) || flags == (O_RDONLY | O_DIRECT);
    EXPECT_EQ(handle->IsDirect(), is_direct) << flags;
    const std::size_t before = meta_.calls(proto::METHOD_GET_ATTR);
    meta_.attr.set_size(meta_.attr.size() + 5);  // by others
    meta_.attr.set_data_version(meta_.attr.data_version() + 1);
    const Result<Payload> read = Run(vfs_.Read(kUser, kFile, handle->id, 0, 4096));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->size() == meta_.attr.size(), is_direct) << flags;
    EXPECT_EQ(meta_.calls(proto::METHOD_GET_ATTR), before + (is_direct ? 1 : 0)) << flags;
    files_.Close(handle);
  }
}

TEST_F(VolumeVfsTest, BesideWhoWaitsForMoreByFlockNoLockIsGivenOutHere) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  proto::Attr attr = meta_.attr;
  attr.set_write_leased(true);
  attr.set_only_locker(true);
  leases_.cache().Learn(Note(), attr, loop_.Now());
  meta_.On<proto::SetLockRequest, proto::SetLockReply>(proto::METHOD_SET_LOCK,
                                                       [](const auto&) -> Result<proto::SetLockReply> {
                                                         proto::SetLockReply reply;
                                                         reply.set_granted(true);
                                                         return reply;
                                                       });
  const RangeLock shared{{0, LockKind::kFlock, 1}, false, 0, RangeLock::kLastByte, 1};
  const RangeLock more{shared.owner, true, 0, RangeLock::kLastByte, 1};
  const RangeLock others{{0, LockKind::kFlock, 2}, true, 0, RangeLock::kLastByte, 2};
  ASSERT_TRUE(locks_.Add(kFile, handle->id, shared, locks_.times_named())) << "the metaserver has it";
  locks_.BeginRelease(kFile);  // which is waited for first
  std::optional<Result<void>> taken;
  auto take = [&]() -> Task<void> {
    taken = co_await file_locks_.Set(&loop_, Caller{}, kFile, handle->id, more, true);
  };
  tasks_.Spawn(here_.env().executor, take());
  world_.RunFor(std::chrono::milliseconds(1));
  EXPECT_EQ(locks_.TakeHere(kFile, handle->id, others, leases_.cache(), loop_.Now()), HeldLocks::Here::kNotHere);
  locks_.EndRelease(kFile);
  world_.RunFor(std::chrono::milliseconds(100));
  ASSERT_TRUE(taken.has_value());
  EXPECT_TRUE(taken->has_value());
}

TEST_F(VolumeVfsTest, WhoWaitsForALeaseStopsWithTheMount) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  (void)Run(recalled_.TakeBack(&loop_, 0, WriteRecall()));  // and is not returned
  Caller writer = kUser;
  writer.pid = 7;  // without one it would be the kernel that writes a mapping
  std::optional<Result<void>> written;
  const std::string bytes = "never";
  auto write = [&]() -> Task<void> {
    written = co_await vfs_.Write(writer, kFile, handle->id, 0, std::as_bytes(std::span(bytes)), false);
  };
  tasks_.Spawn(here_.env().executor, write());
  world_.RunFor(std::chrono::seconds(2));
  EXPECT_FALSE(written.has_value());
  session_.StopWaiting();
  world_.RunFor(std::chrono::seconds(1));
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->error().code(), ErrorCode::kCancelled);
}

TEST_F(VolumeVfsTest, WhereSpaceIsShortCloseWaits) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  std::uint64_t free_bytes = 2 * 4 * kMemoryBytes;
  meta_.On<proto::RenewSessionRequest, proto::RenewSessionReply>(proto::METHOD_RENEW_SESSION,
                                                                 [&](const auto&) -> Result<proto::RenewSessionReply> {
                                                                   proto::RenewSessionReply reply;
                                                                   reply.set_free_bytes(free_bytes);
                                                                   reply.set_sessions(2);
                                                                   return reply;
                                                                 });
  session_.StartRenewing();
  world_.RunFor(std::chrono::seconds(5));
  ASSERT_TRUE(Write(handle, 0, "content").has_value());
  ASSERT_TRUE(Run(vfs_.Flush(kUser, kFile, handle->id, 1)).has_value());
  EXPECT_EQ(chunk1_.calls(proto::METHOD_WRITE_CHUNK), 0u);
  --free_bytes;
  world_.RunFor(std::chrono::seconds(5));
  ASSERT_TRUE(Run(vfs_.Flush(kUser, kFile, handle->id, 1)).has_value());
  EXPECT_EQ(Stored(0), "content");
}

TEST_F(VolumeVfsTest, AfterAWriteThatFoundNoRoomCloseWaits) {
  OpenHandlePtr handle = OpenFile(O_RDWR);
  chunk1_.FailNext(proto::METHOD_WRITE_CHUNK, ErrorCode::kNoSpace, 100);
  ASSERT_TRUE(Write(handle, 0, "content").has_value());
  Flush(handle);
  EXPECT_EQ(Run(vfs_.Flush(kUser, kFile, handle->id, 1)).error().code(), ErrorCode::kNoSpace);
  ASSERT_TRUE(Write(handle, 0, "content").has_value());
  EXPECT_EQ(Run(vfs_.Flush(kUser, kFile, handle->id, 1)).error().code(), ErrorCode::kNoSpace);
}

}  // namespace
}  // namespace gabion
