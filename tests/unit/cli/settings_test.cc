#include "cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

EnvironmentLookup EnvironmentOf(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

// A file of this process alone: ctest runs the cases beside each other.
std::string WriteConfig(const std::string& text) {
  const std::string path = testing::TempDir() + "gabion_settings_test." + std::to_string(getpid()) + ".toml";
  std::ofstream(path) << text;
  return path;
}

TEST(SettingsTest, ParsesSeveralAddressesWithAndWithoutPort) {
  const auto endpoints = ParseMetaServers("a:1,b");
  ASSERT_TRUE(endpoints) << endpoints.error().message();
  EXPECT_THAT(*endpoints, ElementsAre(Endpoint{"a", 1}, Endpoint{"b", kDefaultMetaServerPort}));
}

TEST(SettingsTest, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "a,", ",a", "a:x", "a:70000"}) {
    EXPECT_FALSE(ParseMetaServers(text)) << text;
  }
}

TEST(SettingsTest, OptionBeatsEnvironmentBeatsConfig) {
  const std::string config = WriteConfig("metaserver = \"config:3\"\n");
  const auto environment = EnvironmentOf({{kMetaServerVariable, "env:2"}});
  EXPECT_EQ(FindMetaServer({"option:1", config, environment})->text, "option:1");
  EXPECT_EQ(FindMetaServer({"", config, environment})->text, "env:2");
  EXPECT_EQ(FindMetaServer({"", config, EnvironmentOf({})})->text, "config:3");
}

TEST(SettingsTest, ConfigWithoutTheKeyMeansThisMachine) {
  const auto address = FindMetaServer({"", WriteConfig("other = 1\n"), EnvironmentOf({})});
  ASSERT_TRUE(address) << address.error().message();
  EXPECT_THAT(address->endpoints, ElementsAre(Endpoint{"127.0.0.1", kDefaultMetaServerPort}));
}

TEST(SettingsTest, MissingConfigThatWasNamedIsAnError) {
  const auto address = FindMetaServer({"", "/nonexistent/gabion.toml", EnvironmentOf({})});
  ASSERT_FALSE(address);
  EXPECT_THAT(address.error().message(), HasSubstr("/nonexistent/gabion.toml"));
}

TEST(SettingsTest, BadConfigNamesItsLine) {
  const auto value = MetaServerOfConfig("a = 1\nmetaserver = \n", "f.toml");
  ASSERT_FALSE(value);
  EXPECT_THAT(value.error().message(), HasSubstr("f.toml, line 2"));
}

TEST(SettingsTest, MetaServerMustBeAString) {
  const auto value = MetaServerOfConfig("metaserver = 7\n", "f.toml");
  ASSERT_FALSE(value);
  EXPECT_THAT(value.error().message(), HasSubstr("HOST:PORT"));
}

TEST(SettingsTest, ErrorSaysWhereTheBadAddressCameFrom) {
  const auto address = FindMetaServer({"", "", EnvironmentOf({{kMetaServerVariable, "a:b:c:d"}})});
  ASSERT_FALSE(address);
  EXPECT_THAT(address.error().message(), HasSubstr(kMetaServerVariable));
}

}  // namespace
}  // namespace gabion
