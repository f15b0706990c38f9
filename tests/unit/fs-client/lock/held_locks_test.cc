#include "fs-client/lock/held_locks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/lock/lock_message.h"

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Ino kLockedFile(7);
constexpr HandleId kHandle(1), kOtherHandle(2);
constexpr LockOwner kProcess{0, LockKind::kPosix, 10};

class HeldLocksTest : public testing::Test {
 protected:
  static RangeLock Whole(bool exclusive = true) { return {kProcess, exclusive, 0, RangeLock::kLastByte, 42}; }
  bool Add(const RangeLock& lock) { return held_.Add(kLockedFile, kHandle, lock, held_.times_named()); }
  /// The session goes on, with an answer of that number that says that these are lost.
  void Resume(std::uint64_t number, const std::vector<RangeLock>& lost) {
    proto::OpenSessionReply reply;
    reply.mutable_note()->set_number(number);
    for (const RangeLock& lock : lost) *reply.add_lost_locks() = ToMessage(kLockedFile, lock);
    (void)held_.NameLocks();
    held_.Named(&reply);
  }

  OpenFiles files_;
  HeldLocks held_{files_, 2};
};

TEST_F(HeldLocksTest, ASessionThatGoesOnNamesWhatIsHeld) {
  ASSERT_TRUE(Add(Whole()));
  std::vector<proto::FileLock> named = held_.NameLocks();
  held_.Named(nullptr);
  ASSERT_EQ(named.size(), 1u);
  EXPECT_EQ(named[0].ino(), kLockedFile.value());
  EXPECT_EQ(named[0].mode(), proto::LOCK_MODE_EXCLUSIVE);
  EXPECT_EQ(held_.Remove(kLockedFile, kProcess, 0, RangeLock::kLastByte), HeldLocks::Removed::kAtMetaserver);
  EXPECT_EQ(held_.Remove(kLockedFile, kProcess, 0, RangeLock::kLastByte), HeldLocks::Removed::kNothing)
      << "nothing to unlock";
  EXPECT_THAT(held_.NameLocks(), IsEmpty());
  held_.Named(nullptr);
}

TEST_F(HeldLocksTest, WhatWasGrantedBeforeTheLocksWereNamedIsAskedForAgain) {
  const std::uint64_t before = held_.times_named();
  (void)held_.NameLocks();
  EXPECT_NE(held_.Naming(), nullptr);
  EXPECT_FALSE(held_.Add(kLockedFile, kHandle, Whole(), held_.times_named())) << "they are being named";
  held_.Named(nullptr);
  EXPECT_EQ(held_.Naming(), nullptr);
  EXPECT_FALSE(held_.Add(kLockedFile, kHandle, Whole(), before));
  EXPECT_TRUE(Add(Whole()));
}

TEST_F(HeldLocksTest, ALostLockIsNotHeldAnyMore) {
  ASSERT_TRUE(Add(Whole()));
  Resume(5, {Whole()});
  EXPECT_THAT(held_.NameLocks(), IsEmpty());
  held_.Named(nullptr);
}

TEST_F(HeldLocksTest, WhatWasGivenUpMeanwhileCannotBeLost) {
  ASSERT_TRUE(Add(Whole()));
  ASSERT_EQ(held_.Remove(kLockedFile, kProcess, 0, 9), HeldLocks::Removed::kAtMetaserver);
  Resume(5, {Whole()});
  EXPECT_EQ(held_.NameLocks().size(), 1u) << "of the rest nobody said that it is lost";
  held_.Named(nullptr);
}

TEST_F(HeldLocksTest, WhoWaitsIsToldOfAGrantOrThatTheSessionGoesOn) {
  const HeldLocks::WaitPtr wait = held_.BeginWait(0);
  ASSERT_NE(wait, nullptr);
  held_.Granted(wait->number, 3);
  EXPECT_TRUE(held_.WasGranted(wait));
  Resume(5, {});
  EXPECT_FALSE(held_.WasGranted(wait)) << "the metaserver may know nothing of it any more";
  held_.Granted(wait->number, 4);
  EXPECT_FALSE(held_.WasGranted(wait)) << "granted before";
  held_.Granted(wait->number, 6);
  EXPECT_TRUE(held_.WasGranted(wait));
  held_.AskAgain(wait);
  EXPECT_FALSE(held_.WasGranted(wait));
  held_.EndWait(0, wait);
  held_.Granted(wait->number, 7);  // nobody waits
}

TEST_F(HeldLocksTest, OnEachLoopOnlySoManyWait) {
  const HeldLocks::WaitPtr first = held_.BeginWait(0), second = held_.BeginWait(0);
  EXPECT_EQ(held_.BeginWait(0), nullptr);
  const HeldLocks::WaitPtr other = held_.BeginWait(1);
  EXPECT_NE(other, nullptr);
  held_.EndWait(0, first);
  const HeldLocks::WaitPtr third = held_.BeginWait(0);
  EXPECT_NE(third, nullptr);
  for (const HeldLocks::WaitPtr& wait : {second, third}) held_.EndWait(0, wait);
  held_.EndWait(1, other);
}

TEST_F(HeldLocksTest, OfAnUnsureOwnerAPartMayBeUnlocked) {
  held_.NoteUnsure(kLockedFile, kOtherHandle, kProcess);
  EXPECT_TRUE(held_.Has(kLockedFile, kProcess));
  EXPECT_EQ(held_.Remove(kLockedFile, kProcess, 0, 9), HeldLocks::Removed::kAtMetaserver);
  EXPECT_THAT(held_.OwnersBy(kLockedFile, kOtherHandle), ElementsAre(kProcess));
  EXPECT_THAT(held_.OwnersBy(kLockedFile, kHandle), IsEmpty());
  EXPECT_EQ(held_.Remove(kLockedFile, kProcess, 0, RangeLock::kLastByte), HeldLocks::Removed::kAtMetaserver);
  EXPECT_FALSE(held_.Has(kLockedFile, kProcess));
}

TEST_F(HeldLocksTest, ARequestWaitsForThoseWhoCloseTheFile) {
  EXPECT_EQ(held_.Releasing(kLockedFile), nullptr);
  held_.BeginRelease(kLockedFile);
  held_.BeginRelease(kLockedFile);
  held_.EndRelease(kLockedFile);
  EXPECT_NE(held_.Releasing(kLockedFile), nullptr);
  held_.EndRelease(kLockedFile);
  EXPECT_EQ(held_.Releasing(kLockedFile), nullptr);
}

}  // namespace
}  // namespace gabion
