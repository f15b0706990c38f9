#include "common/daemon/option_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/daemon/daemon_options.h"
#include "tests/unit/common/daemon/temp_dir.h"

namespace gabion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Action = OptionSet::Action;

class OptionSetTest : public testing::Test {
 protected:
  OptionSetTest() : set_("gabion-test", "gabion-test: tests") {
    set_.AddText("name", "NAME", "A name", &name_);
    set_.AddTexts("data", "DIR", "Directories", &data_);
    set_.AddNumber("size", "A size", 10, 1000, &size_);
    set_.AddSwitch("fast", "Be fast", &fast_);
    set_.AddText("even", "TEXT", "Text of even length", [](std::string_view text) -> Result<void> {
      if (text.size() % 2 == 0) return {};
      return {ErrorCode::kInvalidArgument, "odd"};
    });
  }

  std::string MessageOf(const std::vector<std::string>& arguments) {
    const Result<Action> parsed = set_.Parse(arguments);
    if (parsed) return "no error";
    EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(parsed.error().message(), testing::Not(HasSubstr("\n")));
    return parsed.error().message();
  }
  std::string MessageOfFile(const std::string& text) {
    file_ = directory_.Write("server.toml", text);
    return MessageOf({"--config", file_});
  }

  OptionSet set_;
  std::string name_ = "nobody";
  std::vector<std::string> data_;
  std::uint64_t size_ = 100;
  bool fast_ = false;
  TempDir directory_;
  std::string file_;
};

TEST_F(OptionSetTest, NothingSaidLeavesTheDefaults) {
  const Result<Action> parsed = set_.Parse({});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, Action::kRun);
  EXPECT_EQ(name_, "nobody");
  EXPECT_THAT(data_, IsEmpty());
  EXPECT_EQ(size_, 100u);
  EXPECT_FALSE(fast_);
}

TEST_F(OptionSetTest, ReadsTheCommandLine) {
  ASSERT_TRUE(set_.Parse({"--name", "a", "--data", "/x", "--fast", "--data=/y", "--size", "1000"}));
  EXPECT_EQ(name_, "a");
  EXPECT_THAT(data_, ElementsAre("/x", "/y"));
  EXPECT_EQ(size_, 1000u);
  EXPECT_TRUE(fast_);
}

TEST_F(OptionSetTest, ReadsTheFile) {
  EXPECT_EQ(MessageOfFile("# a server\nname = \"b\"\ndata = [\"/x\", \"/y\"]\nsize = 10\nfast = true\n"), "no error");
  EXPECT_EQ(name_, "b");
  EXPECT_THAT(data_, ElementsAre("/x", "/y"));
  EXPECT_EQ(size_, 10u);
  EXPECT_TRUE(fast_);
}

TEST_F(OptionSetTest, OneValueStandsForAnArrayOfOne) {
  EXPECT_EQ(MessageOfFile("data = \"/x\"\n"), "no error");
  EXPECT_THAT(data_, ElementsAre("/x"));
}

TEST_F(OptionSetTest, TheCommandLineWins) {
  const std::string file = directory_.Write("server.toml", "name = \"file\"\ndata = [\"/x\", \"/y\"]\nsize = 11\n");
  ASSERT_TRUE(set_.Parse({"--data", "/z", "--config", file, "--name", "line"}));
  EXPECT_EQ(name_, "line");
  EXPECT_THAT(data_, ElementsAre("/z"));
  EXPECT_EQ(size_, 11u);
}

TEST_F(OptionSetTest, MistakesOnTheCommandLineNameTheOption) {
  EXPECT_THAT(MessageOf({"--nmae", "x"}), testing::AllOf(HasSubstr("--nmae"), HasSubstr("gabion-test --help")));
  EXPECT_THAT(MessageOf({"--name"}), HasSubstr("--name"));
  EXPECT_THAT(MessageOf({"--name", "a", "--name", "b"}), HasSubstr("--name"));
  EXPECT_THAT(MessageOf({"stray"}), HasSubstr("stray"));
  EXPECT_EQ(MessageOf({"--even", "abc"}), "--even: odd");
  for (const char* wrong : {"9", "1001", "-10", "0x20", "20k", " 20"}) {
    EXPECT_EQ(MessageOf({std::string("--size=") + wrong}),
              std::string("--size: '") + wrong + "' is no number from 10 to 1000");
  }
}

TEST_F(OptionSetTest, MistakesInTheFileNameFileAndLine) {
  EXPECT_THAT(MessageOfFile("name = \"x\"\n\nnmae = \"y\"\n"),
              testing::AllOf(HasSubstr(file_ + ", line 3: no option 'nmae'"), HasSubstr("name, data, size")));
  EXPECT_EQ(MessageOfFile("\nname = 3\n"), file_ + ", line 2: name must be a string");
  EXPECT_EQ(MessageOfFile("name = [\"a\"]\n"), file_ + ", line 1: name takes one value, not an array");
  EXPECT_EQ(MessageOfFile("size = \"20\"\n"), file_ + ", line 1: size must be an integer");
  EXPECT_EQ(MessageOfFile("size = 20.5\n"), file_ + ", line 1: size is no string, integer or boolean");
  EXPECT_EQ(MessageOfFile("size = 5000\n"), file_ + ", line 1: size: '5000' is no number from 10 to 1000");
  EXPECT_EQ(MessageOfFile("size = -20\n"), file_ + ", line 1: size: '-20' is no number from 10 to 1000");
  EXPECT_EQ(MessageOfFile("fast = 1\n"), file_ + ", line 1: fast must be true or false");
  EXPECT_EQ(MessageOfFile("data = [\"/x\", 1]\n"), file_ + ", line 1: the elements of data have different types");
  EXPECT_EQ(MessageOfFile("data = [[\"/x\"]]\n"), file_ + ", line 1: data is no string, integer or boolean");
  EXPECT_EQ(MessageOfFile("even = \"abc\"\n"), file_ + ", line 1: even: odd");
  EXPECT_EQ(MessageOfFile("[server]\nname = \"x\"\n"), file_ + ", line 1: server is no string, integer or boolean");
  EXPECT_THAT(MessageOfFile("name = \"a\"\nname = \"b\"\n"), HasSubstr(file_ + ", line 2: "));
  EXPECT_THAT(MessageOfFile("name = \n"), HasSubstr(file_ + ", line 1: "));
}

// A file's `config` would be a file that names another: no.
TEST_F(OptionSetTest, FileNamesNoFile) {
  EXPECT_THAT(MessageOfFile("config = \"other\"\n"), HasSubstr("no option 'config'"));
}

TEST_F(OptionSetTest, FileThatCannotBeReadIsSaid) {
  EXPECT_EQ(MessageOf({"--config", "/nonexistent"}),
            "cannot read the configuration file /nonexistent: No such file or directory");
  EXPECT_THAT(MessageOf({"--config", directory_.path()}), HasSubstr("Is a directory"));
  EXPECT_EQ(MessageOfFile(""), "no error");
}

TEST_F(OptionSetTest, HelpAndVersionComeFirst) {
  EXPECT_EQ(*set_.Parse({"--help"}), Action::kHelp);
  EXPECT_EQ(*set_.Parse({"--version"}), Action::kVersion);
  EXPECT_EQ(*set_.Parse({"--config", "/nonexistent", "--help"}), Action::kHelp);
  EXPECT_THAT(set_.Help(), testing::AllOf(HasSubstr("--data DIR"), HasSubstr("--config FILE"), HasSubstr("--version")));
}

class DaemonOptionsTest : public testing::Test {
 protected:
  DaemonOptionsTest() : set_("gabion-test", "") {
    options_.listen = {"127.0.0.1", 9470};
    AddDaemonOptions(set_, &options_);
  }

  bool MayListenOn(const std::string& host) {
    options_.listen.host = host;
    return CheckListenAddress(options_).has_value();
  }

  OptionSet set_;
  DaemonOptions options_;
};

TEST_F(DaemonOptionsTest, AreRead) {
  ASSERT_TRUE(set_.Parse({"--listen", "127.0.0.2", "--log-level", "debug", "--loops", "3", "--spin-us", "50",
                          "--log-file", "/tmp/log", "--allow-insecure-network"}));
  EXPECT_EQ(options_.listen, (Endpoint{"127.0.0.2", 9470}));
  EXPECT_EQ(options_.log_level, LogLevel::kDebug);
  EXPECT_EQ(options_.loops, 3u);
  EXPECT_EQ(options_.spin(), std::chrono::microseconds(50));
  EXPECT_EQ(options_.log_file, "/tmp/log");
  EXPECT_TRUE(options_.allow_insecure_network);
}

TEST_F(DaemonOptionsTest, WrongValuesAreSaid) {
  EXPECT_THAT(set_.Parse({"--listen", "a:b"}).error().message(), HasSubstr("--listen: 'a:b' is no HOST:PORT"));
  EXPECT_THAT(set_.Parse({"--log-level", "loud"}).error().message(), HasSubstr("no log level 'loud'"));
  EXPECT_THAT(set_.Parse({"--loops", "1025"}).error().message(), HasSubstr("--loops"));
  EXPECT_THAT(set_.Parse({"--spin-us", "10001"}).error().message(), HasSubstr("--spin-us"));
}

TEST_F(DaemonOptionsTest, OnlyLoopbackUnlessAllowed) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"}) EXPECT_TRUE(MayListenOn(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "192.0.2.1", "example.org", "127.0.0.1.example.org"}) {
    EXPECT_FALSE(MayListenOn(host)) << host;
  }
  EXPECT_THAT(CheckListenAddress(options_).error().message(), HasSubstr("--allow-insecure-network"));
  options_.allow_insecure_network = true;
  EXPECT_TRUE(MayListenOn("0.0.0.0"));
}

TEST_F(DaemonOptionsTest, WildcardsAreRecognised) {
  for (const char* host : {"0.0.0.0", "::"}) EXPECT_TRUE(IsWildcardAddress(host)) << host;
  for (const char* host : {"127.0.0.1", "192.0.2.1", "localhost", ""}) EXPECT_FALSE(IsWildcardAddress(host)) << host;
}

}  // namespace
}  // namespace gabion
