#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/daemon/config_file.h"

namespace gabion {

/// The options of a program, each with one name for the command line (`--name VALUE`) and the configuration file
/// (`name = VALUE`), which `--config FILE` names. What the command line says wins, as a whole: a repeated option there
/// replaces the file's array. `--help` and `--version` are always there.
class OptionSet {
 public:
  /// Takes one value, as text. Its error's message says what is wrong with the value; where it stood is put before it.
  using Setter = std::function<Result<void>(std::string_view value)>;

  enum class Action { kRun, kHelp, kVersion };

  OptionSet(std::string program, std::string description);

  /// `type_name` is what --help writes for the value: "HOST:PORT".
  void AddText(std::string name, std::string type_name, std::string help, Setter set);
  void AddText(std::string name, std::string type_name, std::string help, std::string* value);
  /// May be given several times; in the file an array, or one string.
  void AddTexts(std::string name, std::string type_name, std::string help, std::vector<std::string>* values);
  void AddNumber(std::string name, std::string help, std::uint64_t min, std::uint64_t max, std::uint64_t* value);
  void AddSwitch(std::string name, std::string help, bool* value);

  /// Calls the setters. Errors: kInvalidArgument, one line that names the option, and the file and line if it is there.
  Result<Action> Parse(const std::vector<std::string>& arguments) const;

  std::string Help() const;

 private:
  struct Option {
    std::string name;
    std::string type_name;
    std::string help;
    ConfigType type = ConfigType::kText;
    bool repeatable = false;
    Setter set;
  };
  struct CommandLine;

  const Option* Find(std::string_view name) const;
  Result<void> ApplyFile(const std::string& path, const CommandLine& command_line) const;
  Result<void> ApplySetting(const ConfigSetting& setting, const Option& option, const std::string& where) const;

  std::string program_;
  std::string description_;
  std::vector<Option> options_;
};

}  // namespace gabion
