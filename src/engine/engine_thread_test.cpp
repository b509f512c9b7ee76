// Tests of engine_thread.h.
#include "engine/engine_thread.h"

#include <gtest/gtest.h>
