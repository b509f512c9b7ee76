// Tests of signal_pipe.h.
#include "cli/signal_pipe.h"

#include <gtest/gtest.h>

#include <csignal>

namespace tulou::cli {
namespace {

TEST(SignalPipe, TellsSignalsInTheirOrder) {
  for (int round = 0; round < 2; ++round) {  // a second one finds a clean state
    SignalPipe signals;
    EXPECT_EQ(signals.wait_ms(0), 0);
    std::raise(SIGHUP);
    std::raise(SIGTERM);
    EXPECT_EQ(signals.wait(), SIGHUP);
    EXPECT_EQ(signals.wait_ms(0), SIGTERM);
    EXPECT_EQ(signals.wait_ms(0), 0);
  }
}

}  // namespace
}  // namespace tulou::cli
