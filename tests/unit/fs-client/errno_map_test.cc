#include "fs-client/errno_map.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace gabion {
namespace {

TEST(ErrnoMapTest, SaysWhatTheSystemCallSays) {
  EXPECT_EQ(ToErrno(ErrorCode::kNotFound), ENOENT);
  EXPECT_EQ(ToErrno(ErrorCode::kNotEmpty), ENOTEMPTY);
  EXPECT_EQ(ToErrno(ErrorCode::kNoSpace), ENOSPC);
  EXPECT_EQ(ToErrno(ErrorCode::kQuotaExceeded), EDQUOT);
  EXPECT_EQ(ToErrno(ErrorCode::kNoAttribute), ENODATA);
  EXPECT_EQ(ToErrno(ErrorCode::kCancelled), EINTR);
}

TEST(ErrnoMapTest, GivesEveryErrorAnErrnoTheKernelTakes) {
  for (unsigned code = 1; code < 1000; ++code) {
    int error = ToErrno(static_cast<ErrorCode>(code));
    EXPECT_GT(error, 0) << code;
    EXPECT_LT(error, 512) << code;  // beyond are the kernel's own
    EXPECT_NE(error, ENOSYS) << code;
    EXPECT_NE(error, ENOTCONN) << code;
  }
}

}  // namespace
}  // namespace gabion
