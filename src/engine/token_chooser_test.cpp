// Tests of token_chooser.h.
#include "engine/token_chooser.h"

#include <gtest/gtest.h>
