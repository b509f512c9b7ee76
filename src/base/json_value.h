// The whole of JSON values: for code that looks into them or makes them. What only passes them on
// includes base/json.h, which compiles much faster.
#pragma once

#include <nlohmann/json.hpp>

#include "base/json.h"
