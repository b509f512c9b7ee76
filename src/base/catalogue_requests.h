// The part of the catalogue about what a user asks for: see catalogue.cpp.
#pragma once

#include <vector>

#include "base/error.h"

namespace tulou::base {

// Messages of commands, requests, the server and its connections.
std::vector<CatalogueEntry> request_messages();

}  // namespace tulou::base
