// The configuration file, which CLI11 parses; see configuration.h.
#include "cli/configuration.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"

namespace tulou::cli {

namespace {

constexpr uint64_t kMaxConfigurationBytes = 1u << 20;

}  // namespace

std::string configuration_path() {
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder != '\0')
    return std::string(folder) + "/tulou/config.toml";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::string(home) + "/.config/tulou/config.toml";
  return "";
}

std::map<std::string, std::string> read_configuration(const std::string& path,
                                                      std::span<const std::string> known) {
  std::map<std::string, std::string> values;
  if (path.empty() || !base::exists(path)) return values;
  std::istringstream text(base::read_file(path, kMaxConfigurationBytes));
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(text);
  } catch (const CLI::Error& error) {
    throw base::Error("cli.configuration", path, base::printable(error.what()));
  }
  for (const CLI::ConfigItem& item : items) {
    if (std::find(known.begin(), known.end(), item.fullname()) == known.end()) {
      const std::string near = base::nearest(item.fullname(), known);
      throw base::Error("cli.unknown_setting", path, base::printable(item.fullname()),
                        near.empty() ? "the keys are described in docs/cli.md"
                                     : "did you mean \"" + near + "\"?");
    }
    if (item.inputs.size() != 1)
      throw base::Error("cli.configuration", path, item.fullname() + " needs one value");
    values[item.fullname()] = item.inputs.front();
  }
  return values;
}

}  // namespace tulou::cli
