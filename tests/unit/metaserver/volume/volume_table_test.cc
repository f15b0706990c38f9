#include "metaserver/volume/volume_table.h"

#include "metaserver/admin/admin_ops.h"
#include "tests/unit/metaserver/meta_bench.h"

namespace gabion {
namespace {

class VolumeTableTest : public testing::Test {
 protected:
  ErrorCode Create(const std::string& name, std::uint32_t replicas = 3) {
    return CodeOf(bench_.Do(bench_.volumes().Create(name, replicas, bench_.env())));
  }
  ErrorCode Delete(const std::string& name, bool force = false) {
    const TimePoint live_since = bench_.env().clock.Now() - bench_.options().session_ttl;
    return CodeOf(bench_.Do(bench_.volumes().Delete(name, force, live_since, bench_.env())));
  }

  MetaBench bench_;
};

TEST_F(VolumeTableTest, ChecksNamesAndReplicas) {
  for (const char* name : {"a", "0", "a.b-c_d", "my-volume"}) EXPECT_TRUE(IsVolumeName(name)) << name;
  for (const std::string& name : {std::string(), std::string("-a"), std::string("A"), std::string("a/b"),
                                  std::string("a b"), std::string("a\0", 2), std::string(64, 'x')})
    EXPECT_EQ(Create(name), ErrorCode::kInvalidArgument) << name;
  EXPECT_EQ(Create("a", 0), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Create("a", VolumeTable::kMaxReplicas + 1), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Create(std::string(63, 'x')), ErrorCode::kOk);
  EXPECT_EQ(Create("home"), ErrorCode::kExists);
}

TEST_F(VolumeTableTest, VolumesSurviveRestartAndPowerLoss) {
  ASSERT_EQ(Create("other", 2), ErrorCode::kOk);
  const VolumeId id = bench_.volumes().FindByName("other")->id();
  bench_.LosePower();
  ASSERT_NE(bench_.volumes().FindByName("other"), nullptr);
  EXPECT_EQ(bench_.volumes().FindByName("other")->id(), id);
  EXPECT_EQ(bench_.volumes().List().size(), 2u);
  ASSERT_EQ(Create("third"), ErrorCode::kOk);
  EXPECT_GT(bench_.volumes().FindByName("third")->id(), id);
}

TEST_F(VolumeTableTest, NamespacesAreApart) {
  ASSERT_EQ(Create("other"), ErrorCode::kOk);
  MetaClient client(bench_);
  client.File(kRootIno, "a");
  bench_.volumes().FindByName("other")->WithState([](VolumeState& state) { EXPECT_EQ(state.stats.inodes(), 1u); });
}

TEST_F(VolumeTableTest, AMountedOrFilledVolumeIsNotDeletedByChance) {
  MetaClient client(bench_);
  client.File(kRootIno, "a");
  EXPECT_EQ(Delete("home"), ErrorCode::kBusy);
  EXPECT_EQ(Delete("home", true), ErrorCode::kBusy) << "its client lives";
  ASSERT_TRUE(bench_.Do(EndSession(bench_.volume(), client.id(), bench_.env())).has_value());
  EXPECT_EQ(Delete("home"), ErrorCode::kNotEmpty);
  EXPECT_EQ(Delete("none"), ErrorCode::kNotFound);
}

TEST_F(VolumeTableTest, ADeletedVolumeLeavesOnlyGarbage) {
  MetaClient client(bench_);
  for (int i = 0; i < 20; ++i) client.File(kRootIno, "a" + std::to_string(i));
  const Ino large = client.Directory(kRootIno, "d");
  const Ino file = client.File(large, "large");
  ASSERT_TRUE(client.Allocate(file, 1, 64).has_value());
  ASSERT_TRUE(client.SetXattr(file, "user.a", "x").has_value());
  bench_.world().RunFor(bench_.options().session_ttl * 2);
  const std::shared_ptr<Volume> volume = bench_.volume();
  ASSERT_EQ(Delete("home", true), ErrorCode::kOk);
  EXPECT_EQ(bench_.volumes().FindByName("home"), nullptr);
  EXPECT_EQ(CodeOf(client.Lookup(kRootIno, "a0")), ErrorCode::kSessionExpired);
  ASSERT_EQ(Create("home"), ErrorCode::kOk) << "its name is free at once";
  EXPECT_NE(bench_.volume()->id(), volume->id());

  bench_.Restart();
  EXPECT_EQ(bench_.volumes().Deleting().size(), 1u);
  bench_.RunDuties();
  EXPECT_TRUE(bench_.volumes().Deleting().empty());
  EXPECT_EQ(bench_.Garbage().size(), (21 + 64) * 3u);
  EXPECT_EQ(bench_.CountRecords(Table::kInode), 1u);
  EXPECT_EQ(bench_.CountRecords(Table::kVolume), 1u);
  for (Table table : {Table::kChunk, Table::kDentry, Table::kXattr, Table::kSession, Table::kOpReply})
    EXPECT_EQ(bench_.CountRecords(table), 0u);
}

TEST_F(VolumeTableTest, WithTooFewServersNamesWorkAndDataWaits) {
  MetaBench small({.servers = 2, .replicas = 3});
  MetaClient client(small);
  const Ino file = client.File(kRootIno, "a");
  EXPECT_FALSE(client.AttrOf(file).has_first_chunk());
  const Result<proto::AllocateChunksReply> refused = client.Allocate(file, 0, 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("too few chunkservers"));
  small.RegisterServer(3);
  EXPECT_TRUE(client.Allocate(file, 0, 1).has_value());
}

TEST_F(VolumeTableTest, AdministratorsSeeVolumesAndHealth) {
  AdminOps admin(bench_.volumes(), bench_.cluster(), bench_.options(), bench_.env().clock.Now());
  MetaClient client(bench_);
  const Ino file = client.File(kRootIno, "a");
  ASSERT_TRUE(client.CommitWrite(file, 4096).has_value());
  bench_.world().RunFor(std::chrono::seconds(3));

  const proto::AdminStatusReply status = *bench_.Do(admin.Status(bench_.env()));
  EXPECT_EQ(status.cluster_id(), bench_.cluster().cluster_id());
  EXPECT_EQ(status.uptime_s(), 3u);
  EXPECT_EQ(status.servers_size(), 3);
  ASSERT_EQ(status.volumes_size(), 1);
  EXPECT_EQ(status.volumes(0).inodes(), 2u);
  EXPECT_EQ(status.volumes(0).used_bytes(), 4096u);
  EXPECT_EQ(status.volumes(0).sessions(), 1u);
  EXPECT_EQ(status.pgs(), 64u);
  EXPECT_EQ(status.pgs_healthy(), 64u);
  EXPECT_EQ(status.sessions(), 1u);

  proto::VolumeCreateRequest create;
  create.set_name("other");
  create.set_replicas(1);
  const Result<proto::VolumeCreateReply> made = bench_.Do(admin.CreateVolume(create, bench_.env()));
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->volume().replicas(), 1u);
  EXPECT_EQ(admin.ListVolumes().volumes_size(), 2);
  proto::VolumeShowRequest show;
  show.set_name("other");
  EXPECT_EQ(admin.ShowVolume(show)->volume().volume_id(), made->volume().volume_id());
  show.set_name("none");
  EXPECT_EQ(CodeOf(admin.ShowVolume(show)), ErrorCode::kNotFound);
  proto::VolumeDeleteRequest remove;
  remove.set_name("other");
  EXPECT_TRUE(bench_.Do(admin.DeleteVolume(remove, bench_.env())).has_value());
  EXPECT_EQ(bench_.Do(admin.ListServers())->servers_size(), 3);
}

}  // namespace
}  // namespace gabion
