#include "tests/unit/fs-client/core_fixture.h"

#include "common/base/log.h"

namespace gabion {
namespace {

MetaSession::Options HomeVolume(Duration soft) {
  MetaSession::Options options;
  options.volume = "home";
  options.soft = soft;
  return options;
}

}  // namespace

CoreFixture::CoreFixture(Duration soft)
    : session_({&loop_}, HomeVolume(soft), files_, locks_, leases_, memory_, tasks_),
      calls_(session_, leases_, nullptr) {
  EXPECT_TRUE(OpenLog("", LogLevel::kError).has_value());
  meta_.SetCluster(2);
  meta_.Start();
  chunk1_.Start();
  chunk2_.Start();
  Result<void> opened = Run(session_.Open(loop_.Now() + std::chrono::seconds(10)));
  EXPECT_TRUE(opened.has_value());
  leases_.cache().Extend(loop_.Now() + std::chrono::hours(1), loop_.Now(), false, false);
  meta_.ForgetOrder();
}

CoreFixture::~CoreFixture() {
  session_.StopWaiting();
  Run(loop_.Stop());
  Run(tasks_.Join());
  Run(meta_.Stop());
  Run(chunk1_.Stop());
  Run(chunk2_.Stop());
}

OpenHandlePtr CoreFixture::OpenFile(std::uint32_t flags) {
  return OpenFile(flags, meta_.attr);
}

OpenHandlePtr CoreFixture::OpenFile(std::uint32_t flags, const proto::Attr& attr) {
  HandleId handle = files_.NextHandle();
  files_.Announce(handle, Ino(attr.ino()));
  GrantWrite(Ino(attr.ino()));
  return files_.Finish(handle, attr, flags, false).handle;
}

void CoreFixture::GrantWrite(Ino ino, std::uint64_t number) {
  proto::LeaseNote note;
  note.set_era(leases_.cache().era());
  note.set_number(number);
  note.set_asked(leases_.cache().generation());
  proto::Attr attr;
  attr.set_ino(ino.value());
  attr.set_write_leased(true);
  leases_.cache().Learn(note, attr, loop_.Now());
  EXPECT_TRUE(leases_.cache().MayWrite(ino, loop_.Now()));
}

void CoreFixture::Write(const OpenHandlePtr& handle, std::uint64_t offset, const std::string& bytes, bool append) {
  ASSERT_EQ(write_back_.TryWrite(&loop_, handle->inode, offset, std::as_bytes(std::span(bytes)), {append}),
            WriteBack::Verdict::kTaken);
}

std::string CoreFixture::Read(const OpenHandlePtr& handle, std::uint64_t offset, std::uint32_t size) {
  Result<Payload> read = Run(reader_.Read(&loop_, handle, offset, size));
  EXPECT_TRUE(read.has_value());
  return read ? read->ToString() : "";
}

void CoreFixture::Flush(const OpenHandlePtr& handle) {
  Run(write_back_.FlushAll(&loop_, handle->inode));
}

}  // namespace gabion
