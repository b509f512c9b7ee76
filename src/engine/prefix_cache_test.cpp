// Tests of prefix_cache.h.
#include "engine/prefix_cache.h"

#include <gtest/gtest.h>
