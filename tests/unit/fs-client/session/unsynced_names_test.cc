#include "fs-client/session/unsynced_names.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

TEST(UnsyncedNamesTest, OnlyWhatWasNotSyncedIsLost) {
  UnsyncedNames names;
  names.NoteLoss();
  EXPECT_FALSE(names.TakeLoss()) << "there was nothing";
  names.NoteChange();
  names.NoteSynced(names.changes());
  names.NoteLoss();
  EXPECT_FALSE(names.TakeLoss());
  names.NoteChange();
  names.NoteLoss();
  EXPECT_TRUE(names.TakeLoss());
  EXPECT_FALSE(names.TakeLoss()) << "it is told once";
}

TEST(UnsyncedNamesTest, WhatCameAfterASyncWasBegunIsNotSyncedWithIt) {
  UnsyncedNames names;
  names.NoteChange();
  const std::uint64_t begun = names.changes();
  names.NoteChange();
  names.NoteSynced(begun);
  names.NoteLoss();
  EXPECT_TRUE(names.TakeLoss());
}

}  // namespace
}  // namespace gabion
