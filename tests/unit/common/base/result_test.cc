#include "common/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace gabion {
namespace {

Result<int> Half(int number) {
  if (number % 2 != 0) return {ErrorCode::kInvalidArgument, std::to_string(number) + " is odd"};
  return number / 2;
}

Result<int> Quarter(int number) {
  TRY_ASSIGN(const int half, Half(number));
  return Half(half);
}

Result<void> CheckEven(int number) {
  TRY(Half(number));
  return {};
}

TEST(ResultTest, ErrorsLeaveTheFunction) {
  ASSERT_TRUE(Quarter(8));
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error().message(), "3 is odd");
  EXPECT_TRUE(CheckEven(2));
  EXPECT_EQ(CheckEven(3).error().code(), ErrorCode::kInvalidArgument);
}

TEST(ResultTest, CarriesWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> value = std::move(*result);
  EXPECT_EQ(*value, 7);
}

TEST(ResultTest, AskingForWhatIsNotThereIsABrokenInvariant) {
  EXPECT_DEATH(static_cast<void>(*Half(1)), "CHECK|nullptr");
  EXPECT_DEATH(static_cast<void>(Half(2).error()), "has_value");
}

TEST(ErrorTest, ContextComesFirst) {
  const Error error(ErrorCode::kNotFound, "no volume 'home'");
  EXPECT_EQ(error.ToString(), "NOT_FOUND: no volume 'home'");
  const Error wider = error.WithContext("mounting");
  EXPECT_EQ(wider.code(), ErrorCode::kNotFound);
  EXPECT_EQ(wider.message(), "mounting: no volume 'home'");
}

TEST(ErrorCodeTest, NumbersFromANewerVersionHaveAName) {
  EXPECT_EQ(ToString(ErrorCode::kNoSpace), "NO_SPACE");
  EXPECT_EQ(ToString(static_cast<ErrorCode>(60'000)), "UNKNOWN");
}

TEST(ErrorCodeTest, OnlyTheClustersOwnTroublesAreRetried) {
  for (ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kConnectionLost, ErrorCode::kDeadlineExceeded,
                         ErrorCode::kStaleEpoch, ErrorCode::kOverloaded}) {
    EXPECT_TRUE(IsRetryable(code)) << ToString(code);
  }
  for (ErrorCode code : {ErrorCode::kOk, ErrorCode::kNotFound, ErrorCode::kNoSpace, ErrorCode::kIo,
                         ErrorCode::kSessionExpired, ErrorCode::kCancelled, ErrorCode::kCorrupt}) {
    EXPECT_FALSE(IsRetryable(code)) << ToString(code);
  }
}

}  // namespace
}  // namespace gabion
