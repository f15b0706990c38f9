#include "fs-client/fuse/init.h"

#include <gtest/gtest.h>

namespace gabion::fuse {
namespace {

constexpr std::uint32_t kBefore36Flags = (1u << 30) - 1;

fuse_init_in NewKernel() {
  fuse_init_in in{};
  in.major = 7;
  in.minor = 45;
  in.max_readahead = 4 << 20;
  in.flags = ~0u;
  in.flags2 = ~0u;
  return in;
}

std::uint64_t FlagsOf(const Negotiated& negotiated) {
  return negotiated.reply.flags | static_cast<std::uint64_t>(negotiated.reply.flags2) << 32;
}

TEST(InitTest, TakesWhatItNeedsOfANewKernel) {
  Result<Negotiated> negotiated = Negotiate(NewKernel(), {.offer_uring = true});
  ASSERT_TRUE(negotiated);
  EXPECT_EQ(negotiated->reply.major, 7u);
  EXPECT_EQ(negotiated->reply.minor, kNewestMinor);
  EXPECT_EQ(negotiated->max_write, 1u << 20);
  EXPECT_EQ(negotiated->reply.max_pages, 256);
  EXPECT_EQ(negotiated->reply.max_readahead, 4u << 20);
  EXPECT_EQ(negotiated->reply.max_background, 128);
  EXPECT_EQ(negotiated->reply.congestion_threshold, 96);
  EXPECT_EQ(negotiated->reply.time_gran, 1u);
  EXPECT_TRUE(negotiated->uring && negotiated->resend && negotiated->dialect.setxattr_ext);
  for (std::uint64_t flag :
       {std::uint64_t{FUSE_PARALLEL_DIROPS}, std::uint64_t{FUSE_ATOMIC_O_TRUNC}, std::uint64_t{FUSE_HANDLE_KILLPRIV_V2},
        std::uint64_t{FUSE_DO_READDIRPLUS}, kInitDirectIoAllowMmap, kInitHasResend, kInitOverIoUring}) {
    EXPECT_TRUE(FlagsOf(*negotiated) & flag) << std::hex << flag;
  }
}

TEST(InitTest, LeavesOutWhatItDoesNotKeep) {
  Result<Negotiated> negotiated = Negotiate(NewKernel(), {.offer_uring = true});
  ASSERT_TRUE(negotiated);
  for (std::uint32_t flag : {FUSE_WRITEBACK_CACHE, FUSE_POSIX_LOCKS, FUSE_FLOCK_LOCKS, FUSE_CACHE_SYMLINKS,
                             FUSE_NO_OPEN_SUPPORT, FUSE_NO_OPENDIR_SUPPORT, FUSE_SPLICE_READ, FUSE_SPLICE_WRITE,
                             FUSE_DONT_MASK, FUSE_POSIX_ACL, FUSE_EXPLICIT_INVAL_DATA, FUSE_HANDLE_KILLPRIV}) {
    EXPECT_FALSE(FlagsOf(*negotiated) & flag) << std::hex << flag;
  }
}

TEST(InitTest, TakesLocksIfToldTo) {
  Result<Negotiated> negotiated = Negotiate(NewKernel(), {.cluster_locks = true});
  ASSERT_TRUE(negotiated);
  EXPECT_TRUE(FlagsOf(*negotiated) & FUSE_POSIX_LOCKS);
  EXPECT_TRUE(FlagsOf(*negotiated) & FUSE_FLOCK_LOCKS);
}

TEST(InitTest, NeverTakesWhatIsNotOffered) {
  fuse_init_in in = NewKernel();
  for (std::uint32_t bit = 0; bit < 30; ++bit) {
    in.flags = kBefore36Flags & ~(1u << bit);
    Result<Negotiated> negotiated = Negotiate(in, {.offer_uring = true});
    ASSERT_TRUE(negotiated);
    EXPECT_FALSE(negotiated->reply.flags & (1u << bit)) << bit;
  }
}

TEST(InitTest, DoesNotReadFlagsThatAnOldKernelDidNotSend) {
  fuse_init_in in = NewKernel();
  in.minor = 35;
  in.flags = kBefore36Flags;  // without FUSE_INIT_EXT what follows means nothing
  Result<Negotiated> negotiated = Negotiate(in, {.offer_uring = true});
  ASSERT_TRUE(negotiated);
  EXPECT_EQ(negotiated->minor, 35u);
  EXPECT_EQ(negotiated->reply.flags2, 0u);
  EXPECT_FALSE(negotiated->uring || negotiated->resend);
}

TEST(InitTest, OffersRingsOnlyWhenAsked) {
  Result<Negotiated> negotiated = Negotiate(NewKernel(), {.offer_uring = false});
  ASSERT_TRUE(negotiated);
  EXPECT_FALSE(negotiated->uring);
  EXPECT_FALSE(FlagsOf(*negotiated) & kInitOverIoUring);
}

TEST(InitTest, SendsShorterRequestsToKernelsThatTakeNoOther) {
  fuse_init_in in = NewKernel();
  in.flags &= ~static_cast<std::uint32_t>(FUSE_MAX_PAGES | FUSE_SETXATTR_EXT);
  Result<Negotiated> negotiated = Negotiate(in, {});
  ASSERT_TRUE(negotiated);
  EXPECT_EQ(negotiated->max_write, 32u * 4096);
  EXPECT_FALSE(negotiated->dialect.setxattr_ext);
}

TEST(InitTest, RefusesKernelsThatAreTooOld) {
  fuse_init_in in = NewKernel();
  in.minor = kOldestMinor;
  EXPECT_TRUE(Negotiate(in, {}));
  in.minor = kOldestMinor - 1;
  Result<Negotiated> negotiated = Negotiate(in, {});
  ASSERT_FALSE(negotiated);
  EXPECT_EQ(negotiated.error().code(), ErrorCode::kVersionMismatch);
  EXPECT_NE(negotiated.error().message().find("7.30"), std::string::npos);
  in = NewKernel();
  in.major = 8;
  EXPECT_FALSE(Negotiate(in, {}));
}

}  // namespace
}  // namespace gabion::fuse
