#include "fs-client/fuse/decode.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "tests/unit/fs-client/fuse/request_builder.h"

namespace gabion::fuse {
namespace {

constexpr std::uint64_t kTooFar = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) + 1;

/// Decodes what MakeRequest made. The bytes stay where they are until the next call, since names point into them.
Result<Operation> DecodeRequest(std::string_view request, Dialect dialect = {}) {
  static std::unique_ptr<ExactBytes> bytes;
  bytes = std::make_unique<ExactBytes>(request);
  TRY_ASSIGN(RequestBytes split, SplitDeviceRequest(bytes->span(), dialect));
  return Decode(split, dialect);
}

template <typename Op>
Op DecodeAs(std::string_view request) {
  Result<Operation> operation = DecodeRequest(request);
  EXPECT_TRUE(operation) << (operation ? "" : operation.error().message());
  if (!operation || !std::holds_alternative<Op>(*operation)) {
    ADD_FAILURE() << "another operation";
    return {};
  }
  return std::get<Op>(*operation);
}

void ExpectMalformed(std::string_view request, std::string_view why) {
  Result<Operation> operation = DecodeRequest(request);
  ASSERT_FALSE(operation);
  EXPECT_EQ(operation.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(operation.error().message().find(why), std::string::npos) << operation.error().message();
}

TEST(DecodeTest, ReadsWhoAsks) {
  std::string request = MakeRequest(FUSE_LOOKUP, Strings({"name"}), 77, 5);
  ExactBytes bytes(request);
  Result<RequestBytes> split = SplitDeviceRequest(bytes.span(), {});
  ASSERT_TRUE(split);
  RequestHeader header = HeaderOf(*split);
  EXPECT_EQ(header.unique, 77u);
  EXPECT_EQ(header.node, Ino(5));
  EXPECT_EQ(header.uid, 1000u);
  EXPECT_EQ(header.gid, 100u);
  EXPECT_EQ(header.pid, 42u);
}

TEST(DecodeTest, ReadsNames) {
  EXPECT_EQ(DecodeAs<Lookup>(MakeRequest(FUSE_LOOKUP, Strings({"a"}))).name, "a");
  EXPECT_EQ(DecodeAs<Unlink>(MakeRequest(FUSE_UNLINK, Strings({"b"}))).name, "b");
  EXPECT_EQ(DecodeAs<Rmdir>(MakeRequest(FUSE_RMDIR, Strings({""}))).name, "");
  EXPECT_EQ(DecodeAs<RemoveXattr>(MakeRequest(FUSE_REMOVEXATTR, Strings({"user.x"}))).name, "user.x");
  auto symlink = DecodeAs<Symlink>(MakeRequest(FUSE_SYMLINK, Strings({"link", "../target"})));
  EXPECT_EQ(symlink.name, "link");
  EXPECT_EQ(symlink.target, "../target");
}

TEST(DecodeTest, ReadsWhatMakesInodes) {
  fuse_mknod_in node{};
  node.mode = 0020600;
  node.rdev = 0x103;
  auto mknod = DecodeAs<Mknod>(MakeRequest(FUSE_MKNOD, Body(node, {"dev"})));
  EXPECT_EQ(mknod.name, "dev");
  EXPECT_EQ(mknod.mode, 0020600u);
  EXPECT_EQ(mknod.rdev, 0x103u);

  fuse_mkdir_in directory{};
  directory.mode = 0755;
  auto mkdir = DecodeAs<Mkdir>(MakeRequest(FUSE_MKDIR, Body(directory, {"dir"})));
  EXPECT_EQ(mkdir.name, "dir");
  EXPECT_EQ(mkdir.mode, 0755u);

  auto link = DecodeAs<Link>(MakeRequest(FUSE_LINK, Body(fuse_link_in{9}, {"hard"})));
  EXPECT_EQ(link.source, Ino(9));
  EXPECT_EQ(link.name, "hard");

  fuse_create_in in{};
  in.flags = 0102;
  in.mode = 0100640;
  auto create = DecodeAs<Create>(MakeRequest(FUSE_CREATE, Body(in, {"file"})));
  EXPECT_EQ(create.name, "file");
  EXPECT_EQ(create.mode, 0100640u);
  EXPECT_EQ(create.flags, 0102u);
  auto nameless = DecodeAs<TmpFile>(MakeRequest(FUSE_TMPFILE, Body(in, {"/"})));
  EXPECT_EQ(nameless.mode, 0100640u);
  EXPECT_EQ(nameless.flags, 0102u);
}

TEST(DecodeTest, ReadsRenames) {
  auto plain = DecodeAs<Rename>(MakeRequest(FUSE_RENAME, Body(fuse_rename_in{8}, {"from", "to"})));
  EXPECT_EQ(plain.new_parent, Ino(8));
  EXPECT_EQ(plain.name, "from");
  EXPECT_EQ(plain.new_name, "to");
  EXPECT_EQ(plain.flags, 0u);
  auto flagged = DecodeAs<Rename>(MakeRequest(FUSE_RENAME2, Body(fuse_rename2_in{9, 2, 0}, {"x", "y"})));
  EXPECT_EQ(flagged.new_parent, Ino(9));
  EXPECT_EQ(flagged.new_name, "y");
  EXPECT_EQ(flagged.flags, 2u);
}

TEST(DecodeTest, ReadsAttributeCalls) {
  EXPECT_FALSE(DecodeAs<GetAttr>(MakeRequest(FUSE_GETATTR, Body(fuse_getattr_in{0, 0, 5}))).handle);
  EXPECT_EQ(DecodeAs<GetAttr>(MakeRequest(FUSE_GETATTR, Body(fuse_getattr_in{FUSE_GETATTR_FH, 0, 5}))).handle,
            HandleId(5));
  EXPECT_EQ(DecodeAs<Statx>(MakeRequest(kOpStatx, Body(StatxIn{FUSE_GETATTR_FH, 0, 6, 0, 0xfff}))).handle, HandleId(6));
}

TEST(DecodeTest, ReadsOnlyTheAttributesThatAreSet) {
  fuse_setattr_in in{};
  in.mode = 0644;
  in.uid = 3;
  in.size = 99;
  in.valid = FATTR_SIZE | FATTR_FH | FATTR_KILL_SUIDGID;
  in.fh = 4;
  auto truncate = DecodeAs<SetAttr>(MakeRequest(FUSE_SETATTR, Body(in)));
  EXPECT_EQ(truncate.size, 99u);
  EXPECT_EQ(truncate.handle, HandleId(4));
  EXPECT_TRUE(truncate.kill_suid_sgid);
  EXPECT_FALSE(truncate.mode || truncate.uid || truncate.gid || truncate.atime_ns || truncate.mtime_ns);

  in.valid = FATTR_MODE | FATTR_UID | FATTR_GID;
  auto owner = DecodeAs<SetAttr>(MakeRequest(FUSE_SETATTR, Body(in)));
  EXPECT_EQ(owner.mode, 0644u);
  EXPECT_EQ(owner.uid, 3u);
  EXPECT_EQ(owner.gid, 0u);
  EXPECT_FALSE(owner.size || owner.handle);
}

TEST(DecodeTest, ReadsTimesBeforeAndFarAfter1970) {
  fuse_setattr_in in{};
  in.valid = FATTR_ATIME | FATTR_MTIME;
  in.atime = static_cast<std::uint64_t>(-2);
  in.atimensec = 5;
  in.mtime = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  auto change = DecodeAs<SetAttr>(MakeRequest(FUSE_SETATTR, Body(in)));
  EXPECT_EQ(change.atime_ns, -2'000'000'000 + 5);
  EXPECT_EQ(change.mtime_ns, std::numeric_limits<std::int64_t>::max());

  in.valid = FATTR_ATIME | FATTR_ATIME_NOW | FATTR_MTIME | FATTR_MTIME_NOW;
  auto now = DecodeAs<SetAttr>(MakeRequest(FUSE_SETATTR, Body(in)));
  EXPECT_TRUE(now.atime_now);
  EXPECT_TRUE(now.mtime_now);
  EXPECT_FALSE(now.atime_ns || now.mtime_ns);
}

TEST(DecodeTest, ReadsTransfers) {
  fuse_write_in in{};
  in.fh = 3;
  in.offset = 4096;
  in.size = 5;
  in.write_flags = FUSE_WRITE_KILL_SUIDGID;
  auto write = DecodeAs<Write>(MakeRequest(FUSE_WRITE, Body(in, {}, "hello")));
  EXPECT_EQ(write.handle, HandleId(3));
  EXPECT_EQ(write.offset_bytes, 4096u);
  EXPECT_EQ(write.data.size(), 5u);
  EXPECT_EQ(std::memcmp(write.data.data(), "hello", 5), 0);
  EXPECT_TRUE(write.kill_suid_sgid);

  fuse_read_in read_in{};
  read_in.fh = 3;
  read_in.offset = 17;
  read_in.size = kMaxIoBytes;
  auto read = DecodeAs<Read>(MakeRequest(FUSE_READ, Body(read_in)));
  EXPECT_EQ(read.offset_bytes, 17u);
  EXPECT_EQ(read.size, kMaxIoBytes);

  read_in.offset = ~0ull;  // a cookie, not a position
  auto list = DecodeAs<ReadDir>(MakeRequest(FUSE_READDIR, Body(read_in)));
  EXPECT_EQ(list.offset, ~0ull);
  EXPECT_FALSE(list.plus);
  EXPECT_TRUE(DecodeAs<ReadDir>(MakeRequest(FUSE_READDIRPLUS, Body(read_in))).plus);
}

TEST(DecodeTest, ReadsCallsOnHandles) {
  fuse_flush_in flush{};
  flush.fh = 1;
  EXPECT_EQ(DecodeAs<Flush>(MakeRequest(FUSE_FLUSH, Body(flush))).handle, HandleId(1));
  fuse_release_in release{};
  release.fh = 2;
  EXPECT_EQ(DecodeAs<Release>(MakeRequest(FUSE_RELEASE, Body(release))).handle, HandleId(2));
  EXPECT_EQ(DecodeAs<ReleaseDir>(MakeRequest(FUSE_RELEASEDIR, Body(release))).handle, HandleId(2));
  auto fsync = DecodeAs<Fsync>(MakeRequest(FUSE_FSYNC, Body(fuse_fsync_in{3, FUSE_FSYNC_FDATASYNC, 0})));
  EXPECT_EQ(fsync.handle, HandleId(3));
  EXPECT_TRUE(fsync.data_only);
  EXPECT_FALSE(DecodeAs<Fsync>(MakeRequest(FUSE_FSYNC, Body(fuse_fsync_in{3, 0, 0}))).data_only);
  auto space = DecodeAs<Fallocate>(MakeRequest(FUSE_FALLOCATE, Body(fuse_fallocate_in{4, 10, 20, 3, 0})));
  EXPECT_EQ(space.handle, HandleId(4));
  EXPECT_EQ(space.offset_bytes, 10u);
  EXPECT_EQ(space.length_bytes, 20u);
  EXPECT_EQ(space.mode, 3u);
  auto seek = DecodeAs<Seek>(MakeRequest(FUSE_LSEEK, Body(fuse_lseek_in{5, 30, 4, 0})));
  EXPECT_EQ(seek.handle, HandleId(5));
  EXPECT_EQ(seek.offset_bytes, 30u);
  EXPECT_EQ(seek.whence, 4u);
}

TEST(DecodeTest, ReadsXattrCallsInBothDialects) {
  fuse_setxattr_in in{};
  in.size = 3;
  in.flags = 1;
  auto set = DecodeAs<SetXattr>(MakeRequest(FUSE_SETXATTR, Body(in, {"user.a"}, std::string_view("v\0w", 3))));
  EXPECT_EQ(set.name, "user.a");
  EXPECT_EQ(set.flags, 1u);
  EXPECT_EQ(set.value, std::string_view("v\0w", 3));

  std::string short_form = MakeRequest(
      FUSE_SETXATTR,
      Body(in, {"user.b"}, "xyz").erase(FUSE_COMPAT_SETXATTR_IN_SIZE, sizeof in - FUSE_COMPAT_SETXATTR_IN_SIZE));
  Result<Operation> old = DecodeRequest(short_form, {.setxattr_ext = false});
  ASSERT_TRUE(old);
  EXPECT_EQ(std::get<SetXattr>(*old).name, "user.b");
  EXPECT_EQ(std::get<SetXattr>(*old).value, "xyz");

  auto get = DecodeAs<GetXattr>(MakeRequest(FUSE_GETXATTR, Body(fuse_getxattr_in{64, 0}, {"user.c"})));
  EXPECT_EQ(get.name, "user.c");
  EXPECT_EQ(get.size, 64u);
  EXPECT_EQ(DecodeAs<ListXattr>(MakeRequest(FUSE_LISTXATTR, Body(fuse_getxattr_in{0, 0}))).size, 0u);
}

TEST(DecodeTest, ReadsInitOfOldAndNewKernels) {
  fuse_init_in in{};
  in.major = 7;
  in.minor = 45;
  in.flags2 = 9;
  EXPECT_EQ(DecodeAs<Init>(MakeRequest(FUSE_INIT, Body(in))).init.flags2, 9u);
  auto old = DecodeAs<Init>(MakeRequest(FUSE_INIT, Body(in).substr(0, offsetof(fuse_init_in, flags2))));
  EXPECT_EQ(old.init.minor, 45u);
  EXPECT_EQ(old.init.flags2, 0u);
}

TEST(DecodeTest, ReadsLocks) {
  fuse_lk_in in{};
  in.fh = 5;
  in.owner = 0xfeedbeefcafef00d;
  in.lk.start = 10;
  in.lk.end = 19;
  in.lk.type = F_WRLCK;
  in.lk.pid = 42;
  const RangeLock lock{{0, LockKind::kPosix, in.owner}, true, 10, 19, 42};
  EXPECT_EQ(DecodeAs<TestLock>(MakeRequest(FUSE_GETLK, Body(in))).lock, lock);
  const SetLock taken = DecodeAs<SetLock>(MakeRequest(FUSE_SETLK, Body(in)));
  EXPECT_EQ(taken.handle, HandleId(5));
  EXPECT_EQ(taken.lock, lock);
  EXPECT_FALSE(taken.wait);
  EXPECT_TRUE(DecodeAs<SetLock>(MakeRequest(FUSE_SETLKW, Body(in))).wait);
  in.lk.type = F_RDLCK;
  EXPECT_FALSE(DecodeAs<SetLock>(MakeRequest(FUSE_SETLK, Body(in))).lock.exclusive);
  in.lk.type = F_UNLCK;
  in.lk.end = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  in.lk_flags = FUSE_LK_FLOCK;
  const Unlock unlocked = DecodeAs<Unlock>(MakeRequest(FUSE_SETLK, Body(in)));
  EXPECT_EQ(unlocked.handle, HandleId(5));
  EXPECT_EQ(unlocked.range.owner.kind, LockKind::kFlock);
  EXPECT_EQ(unlocked.range.last, RangeLock::kLastByte);
  in.lk.start = ~std::uint64_t{0};
  ExpectMalformed(MakeRequest(FUSE_SETLK, Body(in)), "");
}

TEST(DecodeTest, TakesWhatItDoesNotOfferForUnsupported) {
  for (std::uint32_t opcode :
       {0u, 7u, 54u, 1000u, ~0u, unsigned{FUSE_IOCTL}, unsigned{FUSE_POLL}, unsigned{FUSE_BMAP}, unsigned{FUSE_ACCESS},
        unsigned{FUSE_SYNCFS}, unsigned{FUSE_COPY_FILE_RANGE}, unsigned{CUSE_INIT}, unsigned{FUSE_NOTIFY_REPLY}}) {
    DecodeAs<Unsupported>(MakeRequest(opcode, "whatever"));
  }
}

TEST(DecodeTest, RefusesStringsThatDoNotEnd) {
  ExpectMalformed(MakeRequest(FUSE_LOOKUP, ""), "not terminated");
  ExpectMalformed(MakeRequest(FUSE_LOOKUP, "name"), "not terminated");
  ExpectMalformed(MakeRequest(FUSE_SYMLINK, Strings({"only one"})), "not terminated");
  ExpectMalformed(MakeRequest(FUSE_RENAME, Body(fuse_rename_in{1}, {"only one"})), "not terminated");
  ExpectMalformed(MakeRequest(FUSE_LOOKUP, std::string(kMaxStringBytes, 'n') + '\0'), "too long");
  std::string longest(kMaxStringBytes - 1, 'n');
  EXPECT_EQ(DecodeAs<Lookup>(MakeRequest(FUSE_LOOKUP, Strings({longest}))).name, longest);
}

TEST(DecodeTest, RefusesSizesAndOffsetsOutOfRange) {
  fuse_write_in write{};
  write.size = 6;
  ExpectMalformed(MakeRequest(FUSE_WRITE, Body(write, {}, "short")), "cut off");
  write.size = ~0u;
  ExpectMalformed(MakeRequest(FUSE_WRITE, Body(write, {}, "short")), "larger than");
  write.size = 1;
  write.offset = kTooFar;
  ExpectMalformed(MakeRequest(FUSE_WRITE, Body(write, {}, "x")), "offset");

  fuse_read_in read{};
  read.size = kMaxIoBytes + 1;
  ExpectMalformed(MakeRequest(FUSE_READ, Body(read)), "larger than");
  ExpectMalformed(MakeRequest(FUSE_READDIRPLUS, Body(read)), "larger than");
  read.size = 1;
  read.offset = kTooFar;
  ExpectMalformed(MakeRequest(FUSE_READ, Body(read)), "offset");
  ExpectMalformed(MakeRequest(FUSE_FALLOCATE, Body(fuse_fallocate_in{1, 0, kTooFar, 0, 0})), "offset");
  ExpectMalformed(MakeRequest(FUSE_LSEEK, Body(fuse_lseek_in{1, kTooFar, 3, 0})), "offset");

  fuse_setattr_in attributes{};
  attributes.mtimensec = 1'000'000'000;
  ExpectMalformed(MakeRequest(FUSE_SETATTR, Body(attributes)), "nanoseconds");
  attributes.mtimensec = 0;
  attributes.valid = FATTR_SIZE;
  attributes.size = kTooFar;
  ExpectMalformed(MakeRequest(FUSE_SETATTR, Body(attributes)), "offset");

  fuse_setxattr_in xattr{};
  xattr.size = ~0u;
  ExpectMalformed(MakeRequest(FUSE_SETXATTR, Body(xattr, {"user.x"}, "v")), "cut off");
  ExpectMalformed(MakeRequest(FUSE_GETXATTR, Body(fuse_getxattr_in{~0u, 0}, {"user.x"})), "larger than");
}

TEST(DecodeTest, RefusesWhatIsNoWholeRequest) {
  std::string request = MakeRequest(FUSE_LOOKUP, Strings({"name"}));
  for (std::size_t size = 0; size < request.size(); ++size) {
    EXPECT_FALSE(DecodeRequest(request.substr(0, size))) << size;
  }
  EXPECT_FALSE(DecodeRequest(request + "more"));
}

/// One of each kind that has arguments; all of each is needed.
std::vector<std::string> Samples() {
  fuse_write_in write{};
  write.size = 4;
  fuse_setxattr_in xattr{};
  xattr.size = 2;
  return {
      MakeRequest(FUSE_LOOKUP, Strings({"n"})),
      MakeRequest(FUSE_SYMLINK, Strings({"n", "t"})),
      MakeRequest(FUSE_GETATTR, Body(fuse_getattr_in{})),
      MakeRequest(kOpStatx, Body(StatxIn{})),
      MakeRequest(FUSE_SETATTR, Body(fuse_setattr_in{})),
      MakeRequest(FUSE_MKNOD, Body(fuse_mknod_in{}, {"n"})),
      MakeRequest(FUSE_MKDIR, Body(fuse_mkdir_in{}, {"n"})),
      MakeRequest(FUSE_LINK, Body(fuse_link_in{}, {"n"})),
      MakeRequest(FUSE_CREATE, Body(fuse_create_in{}, {"n"})),
      MakeRequest(FUSE_TMPFILE, Body(fuse_create_in{})),
      MakeRequest(FUSE_RENAME, Body(fuse_rename_in{}, {"a", "b"})),
      MakeRequest(FUSE_RENAME2, Body(fuse_rename2_in{}, {"a", "b"})),
      MakeRequest(FUSE_OPEN, Body(fuse_open_in{})),
      MakeRequest(FUSE_READ, Body(fuse_read_in{})),
      MakeRequest(FUSE_READDIR, Body(fuse_read_in{})),
      MakeRequest(FUSE_WRITE, Body(write, {}, "data")),
      MakeRequest(FUSE_FLUSH, Body(fuse_flush_in{})),
      MakeRequest(FUSE_RELEASE, Body(fuse_release_in{})),
      MakeRequest(FUSE_FSYNC, Body(fuse_fsync_in{})),
      MakeRequest(FUSE_FALLOCATE, Body(fuse_fallocate_in{})),
      MakeRequest(FUSE_LSEEK, Body(fuse_lseek_in{})),
      MakeRequest(FUSE_SETXATTR, Body(xattr, {"n"}, "vv")),
      MakeRequest(FUSE_GETXATTR, Body(fuse_getxattr_in{}, {"n"})),
      MakeRequest(FUSE_LISTXATTR, Body(fuse_getxattr_in{})),
      MakeRequest(FUSE_INTERRUPT, Body(fuse_interrupt_in{})),
  };
}

/// The header's length is right each time, as a hostile guest would have it.
std::string WithLength(std::string request, std::size_t size) {
  request.resize(size);
  auto length = static_cast<std::uint32_t>(size);
  std::memcpy(request.data(), &length, sizeof length);
  return request;
}

TEST(DecodeTest, RefusesEveryRequestCutOffAnywhere) {
  for (const std::string& sample : Samples()) {
    ASSERT_TRUE(DecodeRequest(sample));
    for (std::size_t size = sizeof(fuse_in_header); size < sample.size(); ++size) {
      EXPECT_FALSE(DecodeRequest(WithLength(sample, size))) << "opcode " << int{sample[4]} << " of " << size;
    }
  }
}

TEST(DecodeTest, IgnoresWhatNewerKernelsAdd) {
  for (const std::string& sample : Samples()) {
    EXPECT_TRUE(DecodeRequest(WithLength(sample + std::string(40, 'x'), sample.size() + 40)));
  }
}

TEST(DecodeTest, SurvivesRandomBytes) {
  std::mt19937 random(20261122);
  for (int i = 0; i < 50'000; ++i) {
    std::string body(random() % 300, '\0');
    for (char& byte : body) byte = static_cast<char>(random() % 4 == 0 ? 0 : random());
    // Whatever comes out lies within the request: the sanitizers watch.
    Result<Operation> operation = DecodeRequest(MakeRequest(static_cast<std::uint32_t>(random() % 56), body));
    if (!operation) continue;
    if (const auto* write = std::get_if<Write>(&*operation)) {
      EXPECT_LE(write->data.size(), body.size());
    }
    if (const auto* set = std::get_if<SetXattr>(&*operation)) {
      EXPECT_LE(set->name.size() + set->value.size(), body.size());
    }
  }
}

TEST(DecodeTest, KnowsEveryOpcodeItDecodesByName) {
  EXPECT_EQ(OpcodeName(FUSE_LOOKUP), "LOOKUP");
  EXPECT_EQ(OpcodeName(kOpStatx), "STATX");
  EXPECT_EQ(OpcodeName(7), "opcode");
  EXPECT_EQ(OpcodeName(~0u), "opcode");
  EXPECT_EQ(ArgumentSize(~0u, {}), 0u);
}

}  // namespace
}  // namespace gabion::fuse
