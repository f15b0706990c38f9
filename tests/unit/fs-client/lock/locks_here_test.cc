// Locks that the writer of a file gives out by itself (docs/locks.md, "Without the metaserver").
#include <gmock/gmock.h>

#include "common/lock/lock_message.h"
#include "fs-client/lock/held_locks.h"

namespace gabion {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class LocksHereTest : public testing::Test {
 protected:
  using Here = HeldLocks::Here;
  using Removed = HeldLocks::Removed;
  static constexpr Ino kFile{7};
  static constexpr HandleId kHandle{1};
  static constexpr LockOwner kOne{0, LockKind::kPosix, 10}, kOther{0, LockKind::kPosix, 11};
  static constexpr TimePoint kNow{1'000'000'000}, kEnd{11'000'000'000};

  LocksHereTest() {
    proto::LeaseNote begin;
    begin.set_number(1);
    leases_.Begin(begin, {}, kEnd);
    Grant(true);
  }
  void Grant(bool only_locker) {
    proto::LeaseNote note;
    note.set_number(++last_number_);
    note.set_asked(leases_.generation());
    proto::Attr attr;
    attr.set_ino(kFile.value());
    attr.set_leased(true);
    attr.set_write_leased(true);
    attr.set_only_locker(only_locker);
    leases_.Learn(note, attr, kNow);
  }
  void Recall() {
    proto::Recall recall;
    recall.set_ino(kFile.value());
    recall.set_number(++last_number_);
    recall.set_write(true);
    (void)leases_.RecalledWrite(recall);
  }
  static RangeLock Lock(const LockOwner& owner, bool exclusive = true) {
    return {owner, exclusive, 0, RangeLock::kLastByte, 42};
  }
  Here Take(const RangeLock& lock, TimePoint now = kNow) { return held_.TakeHere(kFile, kHandle, lock, leases_, now); }
  Removed Remove(const LockOwner& owner) { return held_.Remove(kFile, owner, 0, RangeLock::kLastByte); }

  std::uint64_t last_number_ = 100;
  OpenFiles files_;
  HeldLocks held_{files_, 2};
  LeaseCache leases_;
};

TEST_F(LocksHereTest, TheOnlyLockerGivesThemOut) {
  EXPECT_EQ(Take(Lock(kOne)), Here::kTaken);
  EXPECT_TRUE(held_.IsHere(kFile));
  EXPECT_EQ(Take(Lock(kOther)), Here::kConflict);
  EXPECT_EQ(Remove(kOne), Removed::kHere) << "nobody else has to hear of it";
  EXPECT_EQ(Take(Lock(kOther)), Here::kTaken);
}

TEST_F(LocksHereTest, WhoIsNotDoesNot) {
  EXPECT_EQ(Take(Lock(kOne), kEnd), Here::kNotHere) << "the session may have lapsed";
  Recall();
  EXPECT_EQ(Take(Lock(kOne)), Here::kNotHere);
  Grant(false);
  EXPECT_EQ(Take(Lock(kOne)), Here::kNotHere) << "others have some";
  Grant(true);
  EXPECT_EQ(Take(Lock(kOne)), Here::kTaken);
  Grant(false);
  EXPECT_EQ(Take(Lock(kOne)), Here::kTaken) << "an answer that came late: nobody can have got one since";
}

TEST_F(LocksHereTest, BesideLocksThatTheMetaserverKnowsNoneAreGivenOut) {
  ASSERT_TRUE(held_.Add(kFile, kHandle, Lock(kOne, false), held_.times_named()));
  EXPECT_EQ(Take(Lock(kOther, false)), Here::kNotHere);
  EXPECT_EQ(Remove(kOne), Removed::kAtMetaserver);
  EXPECT_EQ(Take(Lock(kOther, false)), Here::kTaken);
}

TEST_F(LocksHereTest, WhoGivesUpBeforeAskingAnybodyLeavesNothing) {
  ASSERT_EQ(Take(Lock(kOne)), Here::kTaken);
  held_.NoteUnsure(kFile, kHandle, kOther);
  EXPECT_FALSE(held_.Has(kFile, kOther));
  EXPECT_EQ(Remove(kOne), Removed::kHere);
  EXPECT_FALSE(held_.IsHere(kFile));
}

TEST_F(LocksHereTest, WhileTheMetaserverIsAskedNoneAreGivenOut) {
  {
    const HeldLocks::Asking asking(held_, kFile);
    EXPECT_EQ(Take(Lock(kOne)), Here::kNotHere);
  }
  EXPECT_EQ(Take(Lock(kOne)), Here::kTaken);
}

TEST_F(LocksHereTest, AfterTheyWereNamedTheyAreTheMetaservers) {
  ASSERT_EQ(Take(Lock(kOne)), Here::kTaken);
  Recall();
  EXPECT_THAT(held_.BeginNamingHere(kFile), SizeIs(1));
  EXPECT_NE(held_.Naming(), nullptr);
  EXPECT_EQ(Remove(kOne), Removed::kBeingNamed) << "the unlock might overtake";
  const proto::NameLocksReply reply;
  held_.EndNamingHere(kFile, &reply);
  EXPECT_EQ(held_.Naming(), nullptr);
  EXPECT_FALSE(held_.IsHere(kFile));
  EXPECT_THAT(held_.BeginNamingHere(kFile), IsEmpty());
  EXPECT_EQ(Remove(kOne), Removed::kAtMetaserver);
}

TEST_F(LocksHereTest, WhatCouldNotBeNamedIsNamedAgain) {
  ASSERT_EQ(Take(Lock(kOne)), Here::kTaken);
  Recall();
  (void)held_.BeginNamingHere(kFile);
  held_.EndNamingHere(kFile, nullptr);
  EXPECT_THAT(held_.BeginNamingHere(kFile), SizeIs(1));
}

TEST_F(LocksHereTest, AResumedSessionNamesThemToo) {
  ASSERT_EQ(Take(Lock(kOne)), Here::kTaken);
  EXPECT_THAT(held_.NameLocks(), SizeIs(1));
  EXPECT_EQ(Take(Lock(kOne, false)), Here::kNotHere);
  const proto::OpenSessionReply reply;
  held_.Named(&reply);
  EXPECT_FALSE(held_.IsHere(kFile));
}

TEST_F(LocksHereTest, WhatTheMetaserverDidNotTakeIsLost) {
  ASSERT_EQ(Take(Lock(kOne)), Here::kTaken);
  const std::vector<proto::FileLock> named = held_.BeginNamingHere(kFile);
  ASSERT_TRUE(held_.Covers(named[0]));
  proto::NameLocksReply reply;
  *reply.add_lost_locks() = named[0];
  held_.EndNamingHere(kFile, &reply);
  EXPECT_FALSE(held_.Covers(named[0]));
}

TEST_F(LocksHereTest, WhoIsInTheWayIsTold) {
  std::optional<RangeLock> conflict;
  EXPECT_EQ(held_.TestHere(kFile, Lock(kOther), leases_, kNow, conflict), Here::kTaken);
  ASSERT_EQ(Take(Lock(kOne)), Here::kTaken);
  EXPECT_EQ(held_.TestHere(kFile, Lock(kOther), leases_, kNow, conflict), Here::kConflict);
  ASSERT_TRUE(conflict.has_value());
  EXPECT_EQ(conflict->pid, 42u);
  Recall();
  EXPECT_EQ(held_.TestHere(kFile, Lock(kOther), leases_, kNow, conflict), Here::kNotHere);
}

}  // namespace
}  // namespace gabion
