#include "fs-client/fuse/dispatcher.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/env/real/event_loop.h"
#include "fs-client/fuse/encode.h"
#include "tests/unit/fs-client/fuse/recording_sink.h"
#include "tests/unit/fs-client/fuse/request_builder.h"
#include "tests/unit/fs-client/memory_vfs.h"

namespace gabion::fuse {
namespace {

template <typename T>
T As(const std::string& body) {
  T value{};
  EXPECT_GE(body.size(), sizeof value);
  std::memcpy(&value, body.data(), std::min(sizeof value, body.size()));
  return value;
}

/// A dispatcher over a volume in memory, on a loop that is turned by hand.
class DispatcherTest : public testing::Test {
 protected:
  void Deliver(const std::string& request) {
    ExactBytes bytes(request);
    Result<RequestBytes> split = SplitDeviceRequest(bytes.span(), {});
    ASSERT_TRUE(split);
    dispatcher_.OnRequest(*split, Reply(sink_, {split->header.unique, nullptr}));
    // The transport uses its memory again as soon as the call has returned.
    std::memset(bytes.span().data(), 0xee, bytes.span().size());
  }

  void Turn() {
    loop_.io().poll();
    loop_.io().restart();
  }

  RecordingSink::Sent Ask(const std::string& request) {
    sink_.sent.clear();
    Deliver(request);
    Turn();
    EXPECT_EQ(sink_.sent.size(), 1u);
    return sink_.sent.empty() ? RecordingSink::Sent{} : sink_.sent[0];
  }

  CreateOut CreateFile(std::string_view name) {
    fuse_create_in in{};
    in.mode = 0100644;
    RecordingSink::Sent sent = Ask(MakeRequest(FUSE_CREATE, Body(in, {name})));
    EXPECT_EQ(sent.error, 0);
    return As<CreateOut>(sent.body);
  }

  static std::string ReadRequest(const CreateOut& file, std::uint64_t unique = 7) {
    fuse_read_in in{};
    in.fh = file.open.fh;
    in.size = 4096;
    return MakeRequest(FUSE_READ, Body(in), unique, file.entry.nodeid);
  }

  std::vector<std::uint64_t> interrupted_;
  EventLoop loop_{EventLoop::Options{}};
  MemoryVfs vfs_{loop_.env().clock, {}};
  RecordingSink sink_;
  Dispatcher dispatcher_{loop_.env(), vfs_, {}, [this](std::uint64_t unique) { interrupted_.push_back(unique); }};
};

TEST_F(DispatcherTest, AnswersWithTheRequestsUnique) {
  RecordingSink::Sent sent = Ask(MakeRequest(FUSE_LOOKUP, Strings({"missing"}), 99));
  EXPECT_EQ(sent.unique, 99u);
  EXPECT_EQ(sent.error, ENOENT);
}

TEST_F(DispatcherTest, AnswersBeforeItReturnsWhatNeedsNoWaiting) {
  Deliver(MakeRequest(FUSE_GETATTR, Body(fuse_getattr_in{})));
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(As<fuse_attr_out>(sink_.sent[0].body).attr.ino, 1u);
}

TEST_F(DispatcherTest, WritesAndReadsBack) {
  CreateOut file = CreateFile("file");
  fuse_write_in in{};
  in.fh = file.open.fh;
  in.size = 5;
  RecordingSink::Sent written = Ask(MakeRequest(FUSE_WRITE, Body(in, {}, "hello"), 7, file.entry.nodeid));
  EXPECT_EQ(As<fuse_write_out>(written.body).size, 5u);
  EXPECT_EQ(Ask(ReadRequest(file)).body, "hello");
}

TEST_F(DispatcherTest, ListsADirectory) {
  CreateFile("file");
  auto opened = As<fuse_open_out>(Ask(MakeRequest(FUSE_OPENDIR, Body(fuse_open_in{}))).body);
  fuse_read_in in{};
  in.fh = opened.fh;
  in.size = 4096;
  EXPECT_EQ(Ask(MakeRequest(FUSE_READDIR, Body(in))).body.size(), 3u * 32u);
  in.size = 8;
  EXPECT_EQ(Ask(MakeRequest(FUSE_READDIR, Body(in))).error, EINVAL);
  in.offset = ~0ull;
  RecordingSink::Sent end = Ask(MakeRequest(FUSE_READDIR, Body(in)));
  EXPECT_EQ(end.error, 0);
  EXPECT_EQ(end.body, "");
}

TEST_F(DispatcherTest, TellsTheLengthOfAnAttributeFirst) {
  fuse_setxattr_in set{};
  set.size = 5;
  EXPECT_EQ(Ask(MakeRequest(FUSE_SETXATTR, Body(set, {"user.a"}, "value"))).error, 0);
  auto size = As<fuse_getxattr_out>(Ask(MakeRequest(FUSE_GETXATTR, Body(fuse_getxattr_in{0, 0}, {"user.a"}))).body);
  EXPECT_EQ(size.size, 5u);
  EXPECT_EQ(Ask(MakeRequest(FUSE_GETXATTR, Body(fuse_getxattr_in{4, 0}, {"user.a"}))).error, ERANGE);
  EXPECT_EQ(Ask(MakeRequest(FUSE_GETXATTR, Body(fuse_getxattr_in{5, 0}, {"user.a"}))).body, "value");
  EXPECT_EQ(Ask(MakeRequest(FUSE_LISTXATTR, Body(fuse_getxattr_in{99, 0}))).body, std::string("user.a\0", 7));
}

TEST_F(DispatcherTest, RefusesModesOfFallocateAndLseekThatDoNotExist) {
  CreateOut file = CreateFile("file");
  EXPECT_EQ(Ask(MakeRequest(FUSE_FALLOCATE, Body(fuse_fallocate_in{file.open.fh, 0, 1, 0x40, 0}), 7, file.entry.nodeid))
                .error,
            EOPNOTSUPP);
  EXPECT_EQ(Ask(MakeRequest(FUSE_LSEEK, Body(fuse_lseek_in{file.open.fh, 0, 9, 0}), 7, file.entry.nodeid)).error,
            EINVAL);
  EXPECT_EQ(
      Ask(MakeRequest(FUSE_LSEEK, Body(fuse_lseek_in{file.open.fh, 0, SEEK_DATA, 0}), 7, file.entry.nodeid)).error,
      ENXIO);
}

TEST_F(DispatcherTest, SaysEnosysToWhatIsNotOffered) {
  for (std::uint32_t opcode : {FUSE_IOCTL, FUSE_POLL, FUSE_BMAP, FUSE_SYNCFS, FUSE_COPY_FILE_RANGE}) {
    EXPECT_EQ(Ask(MakeRequest(opcode, std::string(64, '\0'))).error, ENOSYS);
  }
  EXPECT_EQ(Ask(MakeRequest(999, "")).error, ENOSYS);
}

TEST_F(DispatcherTest, SaysEinvalToWhatIsMalformed) {
  EXPECT_EQ(Ask(MakeRequest(FUSE_LOOKUP, "no end")).error, EINVAL);
}

TEST_F(DispatcherTest, RefusesASecondInit) {
  EXPECT_EQ(Ask(MakeRequest(FUSE_INIT, Body(fuse_init_in{}))).error, EIO);
}

TEST_F(DispatcherTest, DoesNotAnswerWhatHasNoReply) {
  Deliver(MakeRequest(FUSE_FORGET, Body(fuse_forget_in{1})));
  Deliver(MakeRequest(FUSE_BATCH_FORGET, Body(fuse_batch_forget_in{1, 0}, {}, std::string(16, '\0'))));
  Deliver(MakeRequest(FUSE_BATCH_FORGET, ""));
  Deliver(MakeRequest(FUSE_INTERRUPT, Body(fuse_interrupt_in{44})));
  Deliver(MakeRequest(FUSE_INTERRUPT, "cut"));
  Turn();
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(interrupted_, std::vector<std::uint64_t>{44});
}

TEST_F(DispatcherTest, EndsAWaitingRequestWhoseCallerIsKilled) {
  CreateOut file = CreateFile(".hang");
  sink_.sent.clear();
  Deliver(ReadRequest(file, 55));
  Turn();
  EXPECT_TRUE(sink_.sent.empty());
  EXPECT_EQ(dispatcher_.requests().size(), 1u);

  dispatcher_.requests().Interrupt(55, [](std::uint32_t) { return false; });  // a signal that it outlives
  Turn();
  EXPECT_TRUE(sink_.sent.empty());

  dispatcher_.requests().Interrupt(55, [](std::uint32_t) { return true; });
  Turn();
  ASSERT_EQ(sink_.sent.size(), 1u);
  EXPECT_EQ(sink_.sent[0].error, EINTR);
  EXPECT_EQ(dispatcher_.requests().size(), 0u);
}

TEST_F(DispatcherTest, ReleasesAHandleThatTheKernelNoLongerWants) {
  sink_.wanted = false;
  CreateOut file = CreateFile("file");
  EXPECT_EQ(vfs_.open_handles(), 0u);
  Ask(MakeRequest(FUSE_OPEN, Body(fuse_open_in{}), 7, file.entry.nodeid));
  Ask(MakeRequest(FUSE_OPENDIR, Body(fuse_open_in{})));
  EXPECT_EQ(vfs_.open_handles(), 0u);
  sink_.wanted = true;
  Ask(MakeRequest(FUSE_OPEN, Body(fuse_open_in{}), 7, file.entry.nodeid));
  EXPECT_EQ(vfs_.open_handles(), 1u);
}

}  // namespace
}  // namespace gabion::fuse
