// The configuration file: keys and their values, as text.
#pragma once

#include <map>
#include <span>
#include <string>

namespace tulou::cli {

// $XDG_CONFIG_HOME/tulou/config.toml, else ~/.config/tulou/config.toml; empty if neither is known.
std::string configuration_path();

// Reads the file, at most 1 MiB; empty if there is none. `known` are the keys there are. Errors
// cli.configuration, cli.unknown_setting (with the nearest one).
std::map<std::string, std::string> read_configuration(const std::string& path,
                                                      std::span<const std::string> known);

}  // namespace tulou::cli
