// Opening files without the metaserver, under leases (docs/leases.md, "Opening files").
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <optional>

#include "fs-client/vfs/open_file_uses.h"
#include "fs-client/vfs/volume_vfs.h"
#include "tests/unit/fs-client/core_fixture.h"

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class OpenHereTest : public CoreFixture {
 protected:
  static constexpr Caller kRoot{0, 0, 0};
  static constexpr Ino kFile{50}, kDirectory{8};

  OpenHereTest() {
    meta_.attr.set_leased(true);
    meta_.attr.set_nlink(1);
    meta_.attr.set_mode(S_IFREG | 0644);
    meta_.On<proto::OpenRequest, proto::OpenReply>(proto::METHOD_OPEN, [this](const auto&) -> Result<proto::OpenReply> {
      proto::OpenReply reply;
      *reply.mutable_attr() = meta_.attr;
      return reply;
    });
    meta_.On<proto::NameHandlesRequest, proto::NameHandlesReply>(
        proto::METHOD_NAME_HANDLES,
        [this](const proto::NameHandlesRequest& request) -> Result<proto::NameHandlesReply> {
          proto::NameHandlesReply reply;
          for (const proto::OpenHandle& open : request.handles()) {
            named_.emplace_back(open.handle_id());
            if (file_is_gone_) reply.add_lost_handles(open.handle_id());
          }
          return reply;
        });
    meta_.On<proto::ReleaseRequest, proto::ReleaseReply>(
        proto::METHOD_RELEASE, [](const auto&) -> Result<proto::ReleaseReply> { return proto::ReleaseReply(); });
    meta_.On<proto::UnlinkRequest, proto::UnlinkReply>(
        proto::METHOD_UNLINK, [this](const proto::UnlinkRequest& request) -> Result<proto::UnlinkReply> {
          if (during_unlink_) during_unlink_();
          const std::optional<std::uint64_t> expected =
              request.has_expected_ino() ? std::optional(request.expected_ino()) : std::nullopt;
          expected_.push_back(expected);
          if (expected && *expected != leads_to_.value()) return {ErrorCode::kNameChanged, "it leads elsewhere"};
          return proto::UnlinkReply();
        });
  }
  ~OpenHereTest() override {
    session_.StopWaiting();
    naming_.Stop();
    Run(loop_.Stop());
    Run(tasks_.Join());
  }

  proto::LeaseNote Note() {
    proto::LeaseNote note;
    note.set_number(++last_number_);
    note.set_asked(leases_.cache().generation());
    return note;
  }
  void Grant() { leases_.cache().Learn(Note(), meta_.attr, loop_.Now()); }
  void LearnName() { leases_.cache().LearnEntry(Note(), kDirectory, "name", kFile, S_IFREG, loop_.Now()); }
  Result<OpenedFile> Open(std::uint32_t flags = O_RDONLY, const Caller& caller = kRoot) {
    return Run(vfs_.Open(caller, kFile, flags));
  }
  HandleId OpenHere() {
    const std::size_t before = meta_.calls(proto::METHOD_OPEN);
    Result<OpenedFile> opened = Open();
    EXPECT_TRUE(opened.has_value());
    EXPECT_EQ(meta_.calls(proto::METHOD_OPEN), before);
    return opened ? opened->handle : HandleId();
  }
  Result<void> Unlink() { return Run(vfs_.Unlink(kRoot, kDirectory, "name")); }

  std::uint64_t last_number_ = 2'000'000;
  std::vector<HandleId> named_;
  std::vector<std::optional<std::uint64_t>> expected_;  // of each UNLINK
  Ino leads_to_ = kFile;
  bool file_is_gone_ = false;
  std::function<void()> during_unlink_;
  FileLocks file_locks_{calls_, leases_.cache(), locks_};
  ReleaseQueue releases_{calls_, session_, tasks_};
  HandleNaming naming_{files_, calls_, session_, releases_};
  OpenFileUses uses_{files_, write_back_, naming_, file_locks_, leases_.cache(), kernel_, tasks_};
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

TEST_F(OpenHereTest, UnderALeaseOpeningAndClosingTakesNoMessage) {
  Grant();
  const HandleId handle = OpenHere();
  EXPECT_NE(files_.Find(handle), nullptr);
  Run(vfs_.Release(kFile, handle));
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_THAT(meta_.order(), IsEmpty());
}

TEST_F(OpenHereTest, WithoutALeaseForWritingOrOfWhatIsRemovedTheMetaserverIsAsked) {
  ASSERT_TRUE(Open().has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_OPEN), 1u);
  Grant();
  ASSERT_TRUE(Open(O_RDWR).has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_OPEN), 2u);
  meta_.attr.set_nlink(0);
  Grant();
  ASSERT_TRUE(Open().has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_OPEN), 3u);
}

TEST_F(OpenHereTest, WhoMayNotForSureTheMetaserverDecides) {
  struct Case {
    std::uint32_t mode;
    Caller caller;
    std::uint32_t flags;
    bool here;
  };
  constexpr std::uint32_t kForExec = 040;
  meta_.attr.set_uid(1000);
  meta_.attr.set_gid(2000);
  const Case cases[] = {
      {0000, {0, 0, 0}, 0, true},     {0000, {0, 0, 0}, kForExec, false},   {0001, {0, 0, 0}, kForExec, true},
      {0400, {1000, 1, 0}, 0, true},  {0044, {1000, 1, 0}, 0, false},       {0040, {7, 2000, 0}, 0, true},
      {0404, {7, 2000, 0}, 0, false}, {0044, {7, 7, 0}, 0, true},           {0004, {7, 7, 0}, 0, false},
      {0440, {7, 7, 0}, 0, false},    {0500, {1000, 1, 0}, kForExec, true}, {0444, {1000, 1, 0}, kForExec, false}};
  for (const Case& one : cases) {
    meta_.attr.set_mode(S_IFREG | one.mode);
    Grant();
    const std::size_t before = meta_.calls(proto::METHOD_OPEN);
    ASSERT_TRUE(Open(one.flags, one.caller).has_value());
    EXPECT_EQ(meta_.calls(proto::METHOD_OPEN) == before, one.here)
        << std::oct << one.mode << " by " << one.caller.uid << ":" << one.caller.gid << " flags " << one.flags;
  }
}

TEST_F(OpenHereTest, BeforeItsLeaseIsReturnedAFileIsNamed) {
  Grant();
  const HandleId handle = OpenHere();
  ASSERT_TRUE(Run(uses_.Name(&loop_, Ino(51))).has_value());
  EXPECT_THAT(named_, IsEmpty());
  ASSERT_TRUE(Run(uses_.Name(&loop_, kFile)).has_value());
  EXPECT_THAT(named_, ElementsAre(handle));
  Run(vfs_.Release(kFile, handle));
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(meta_.calls(proto::METHOD_RELEASE), 1u) << "it is known there now";
}

TEST_F(OpenHereTest, BeforeItsNameIsRemovedAFileIsNamed) {
  Grant();
  LearnName();
  const HandleId handle = OpenHere();
  ASSERT_TRUE(Unlink().has_value());
  EXPECT_THAT(named_, ElementsAre(handle));
  EXPECT_THAT(expected_, ElementsAre(kFile.value()));
  EXPECT_THAT(meta_.order(), ElementsAre(proto::METHOD_NAME_HANDLES, proto::METHOD_UNLINK));
}

TEST_F(OpenHereTest, BeforeANameThatIsNotKnownIsRemovedAllAreNamed) {
  Grant();
  const HandleId handle = OpenHere();
  ASSERT_TRUE(Unlink().has_value());
  EXPECT_THAT(named_, ElementsAre(handle));
  EXPECT_THAT(expected_, ElementsAre(std::nullopt));
}

TEST_F(OpenHereTest, IfTheNameLeadsElsewhereAllAreNamed) {
  Grant();
  leases_.cache().LearnEntry(Note(), kDirectory, "name", Ino(51), S_IFREG, loop_.Now());
  const HandleId handle = OpenHere();
  ASSERT_TRUE(Unlink().has_value());
  EXPECT_THAT(expected_, ElementsAre(51, std::nullopt));
  EXPECT_THAT(named_, ElementsAre(handle));
}

TEST_F(OpenHereTest, WhileItsNameIsBeingRemovedTheMetaserverOpensIt) {
  Grant();
  LearnName();
  std::optional<Result<OpenedFile>> opened;
  auto open = [&]() -> Task<void> { opened = co_await vfs_.Open(kRoot, kFile, O_RDONLY); };
  during_unlink_ = [&] { tasks_.Spawn(here_.env().executor, open()); };
  ASSERT_TRUE(Unlink().has_value());
  world_.RunFor(std::chrono::milliseconds(100));
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(meta_.calls(proto::METHOD_OPEN), 1u);
}

TEST_F(OpenHereTest, WhatStaysOpenIsNamedInTheEnd) {
  tasks_.Spawn(here_.env().executor, naming_.NameOldUntilStopped(&loop_));
  Grant();
  const HandleId handle = OpenHere();
  world_.RunFor(HandleNaming::kAge * 3);
  EXPECT_THAT(named_, ElementsAre(handle));
  EXPECT_FALSE(files_.Find(handle)->lost);
}

TEST_F(OpenHereTest, WhatIsGoneBySoLongIsLost) {
  Grant();
  const HandleId handle = OpenHere();
  file_is_gone_ = true;
  ASSERT_TRUE(Run(uses_.Name(&loop_, kFile)).has_value());
  EXPECT_TRUE(files_.Find(handle)->lost);
}

TEST_F(OpenHereTest, WhatCouldNotBeNamedIsNotTakenForNamed) {
  Grant();
  (void)OpenHere();
  meta_.FailNext(proto::METHOD_NAME_HANDLES, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Run(uses_.Name(&loop_, kFile)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(files_.own().Has(kFile));
}

}  // namespace
}  // namespace gabion
