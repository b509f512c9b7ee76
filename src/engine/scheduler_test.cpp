// Tests of scheduler.h.
#include "engine/scheduler.h"

#include <gtest/gtest.h>
