#include "common/daemon/option_set.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace gabion {
namespace {

constexpr const char* kConfigOption = "config";

std::string_view TypeName(ConfigType type) {
  switch (type) {
    case ConfigType::kText:
      return "a string";
    case ConfigType::kNumber:
      return "an integer";
    case ConfigType::kBoolean:
      return "true or false";
  }
  return "";
}

Result<std::uint64_t> ParseNumber(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) {
    return {ErrorCode::kInvalidArgument, fmt::format("'{}' is no number from {} to {}", text, min, max)};
  }
  return number;
}

}  // namespace

/// CLI11's view of the options: it splits the arguments; the values are read by the setters, as those of the file are.
struct OptionSet::CommandLine {
  explicit CommandLine(const OptionSet& set) : app(set.description_, set.program_) {
    app.set_version_flag("--version", "");
    app.add_option(std::string("--") + kConfigOption, config_path, "File with options: name = value, in TOML")
        ->type_name("FILE");
    for (const Option& option : set.options_) {
      const std::string flag = "--" + option.name;
      if (option.type == ConfigType::kBoolean) {
        app.add_flag(flag, switches[option.name], option.help);
        continue;
      }
      CLI::Option* added = app.add_option(flag, values[option.name], option.help)->type_name(option.type_name);
      // One value each time it is given, or `--data A B` would take what follows.
      added->expected(1);
      if (option.repeatable) added->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
  }

  /// What the command line gives for an option; nothing if it does not name it.
  std::vector<std::string> Given(const Option& option) const {
    if (option.type != ConfigType::kBoolean) return values.at(option.name);
    return switches.at(option.name) ? std::vector<std::string>{"true"} : std::vector<std::string>();
  }

  CLI::App app;
  std::string config_path;
  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, bool> switches;
};

OptionSet::OptionSet(std::string program, std::string description)
    : program_(std::move(program)), description_(std::move(description)) {}

void OptionSet::AddText(std::string name, std::string type_name, std::string help, Setter set) {
  options_.push_back(
      {std::move(name), std::move(type_name), std::move(help), ConfigType::kText, false, std::move(set)});
}

void OptionSet::AddText(std::string name, std::string type_name, std::string help, std::string* value) {
  AddText(std::move(name), std::move(type_name), std::move(help), [value](std::string_view text) {
    *value = text;
    return Result<void>();
  });
}

void OptionSet::AddTexts(std::string name, std::string type_name, std::string help, std::vector<std::string>* values) {
  AddText(std::move(name), std::move(type_name), std::move(help), [values](std::string_view text) {
    values->emplace_back(text);
    return Result<void>();
  });
  options_.back().repeatable = true;
}

void OptionSet::AddNumber(std::string name, std::string help, std::uint64_t min, std::uint64_t max,
                          std::uint64_t* value) {
  AddText(std::move(name), "NUMBER", std::move(help), [min, max, value](std::string_view text) -> Result<void> {
    TRY_ASSIGN(*value, ParseNumber(text, min, max));
    return {};
  });
  options_.back().type = ConfigType::kNumber;
}

void OptionSet::AddSwitch(std::string name, std::string help, bool* value) {
  AddText(std::move(name), "", std::move(help), [value](std::string_view text) {
    *value = text == "true";
    return Result<void>();
  });
  options_.back().type = ConfigType::kBoolean;
}

Result<OptionSet::Action> OptionSet::Parse(const std::vector<std::string>& arguments) const {
  CommandLine command_line(*this);
  try {
    // CLI11 takes a vector from its back.
    command_line.app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForVersion&) {
    return Action::kVersion;
  } catch (const CLI::Success&) {
    return Action::kHelp;
  } catch (const CLI::ParseError& error) {
    return {ErrorCode::kInvalidArgument, fmt::format("{}; see {} --help", error.what(), program_)};
  }
  if (!command_line.config_path.empty()) TRY(ApplyFile(command_line.config_path, command_line));
  for (const Option& option : options_) {
    for (const std::string& value : command_line.Given(option)) {
      Result<void> set = option.set(value);
      if (!set) return set.error().WithContext("--" + option.name);
    }
  }
  return Action::kRun;
}

std::string OptionSet::Help() const {
  return CommandLine(*this).app.help();
}

const OptionSet::Option* OptionSet::Find(std::string_view name) const {
  const auto found =
      std::find_if(options_.begin(), options_.end(), [name](const Option& option) { return option.name == name; });
  return found == options_.end() ? nullptr : &*found;
}

Result<void> OptionSet::ApplyFile(const std::string& path, const CommandLine& command_line) const {
  TRY_ASSIGN(const std::vector<ConfigSetting> settings, ReadConfigFile(path));
  for (const ConfigSetting& setting : settings) {
    const std::string where = fmt::format("{}, line {}", path, setting.line);
    const Option* option = Find(setting.name);
    if (option == nullptr) {
      std::string names;
      for (const Option& known : options_) names += (names.empty() ? "" : ", ") + known.name;
      return {ErrorCode::kInvalidArgument,
              fmt::format("{}: no option '{}'; there are: {}", where, setting.name, names)};
    }
    if (!command_line.Given(*option).empty()) continue;
    TRY(ApplySetting(setting, *option, where + ": " + setting.name));
  }
  return {};
}

Result<void> OptionSet::ApplySetting(const ConfigSetting& setting, const Option& option,
                                     const std::string& where) const {
  if (setting.is_array && !option.repeatable) {
    return {ErrorCode::kInvalidArgument, where + " takes one value, not an array"};
  }
  if (setting.type != option.type && !setting.values.empty()) {
    return {ErrorCode::kInvalidArgument, fmt::format("{} must be {}", where, TypeName(option.type))};
  }
  for (const std::string& value : setting.values) {
    Result<void> set = option.set(value);
    if (!set) return set.error().WithContext(where);
  }
  return {};
}

}  // namespace gabion
