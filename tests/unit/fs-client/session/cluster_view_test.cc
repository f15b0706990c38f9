#include "fs-client/session/cluster_view.h"

#include <gmock/gmock.h>

namespace gabion {
namespace {

proto::ClusterMap MakeMap() {
  proto::ClusterMap map;
  map.set_version(9);
  for (std::uint32_t id : {1u, 2u, 3u}) {
    proto::ServerEntry& server = *map.add_servers();
    server.set_server_id(id);
    server.set_endpoint("host" + std::to_string(id) + ":70");
    server.set_alive(id != 3);
  }
  proto::PgEntry& pg = *map.add_pgs();
  pg.set_pg_id(5);
  pg.set_epoch(4);
  pg.set_primary(2);
  for (std::uint32_t id : {1u, 2u, 3u}) pg.add_in_sync(id);
  return map;
}

TEST(ClusterViewTest, PrimaryIsTheFirstCopy) {
  ClusterView view(MakeMap());
  EXPECT_EQ(view.version(), 9u);
  const ClusterView::Pg* pg = view.FindPg(PgId(5));
  ASSERT_NE(pg, nullptr);
  EXPECT_EQ(pg->epoch, Epoch(4));
  EXPECT_THAT(pg->in_sync, testing::ElementsAre(ServerId(2), ServerId(1), ServerId(3)));
  EXPECT_EQ(view.FindPg(PgId(6)), nullptr);
}

TEST(ClusterViewTest, LeavesOutServersWithoutAnAddress) {
  proto::ClusterMap map = MakeMap();
  map.mutable_servers(0)->set_endpoint("no port");
  ClusterView view(map);
  EXPECT_EQ(view.FindServer(ServerId(1)), nullptr);
  ASSERT_NE(view.FindServer(ServerId(2)), nullptr);
  EXPECT_EQ(view.FindServer(ServerId(2))->endpoint.host, "host2");
  EXPECT_FALSE(view.FindServer(ServerId(3))->alive);
}

}  // namespace
}  // namespace gabion
