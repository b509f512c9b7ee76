// Signals that ask a server for something, as numbers to wait for.
#pragma once

namespace tulou::cli {

// From its construction on, SIGINT, SIGTERM and SIGHUP do nothing but wake wait(). Only one may
// live at a time; at its end the handlers from before are back.
class SignalPipe {
 public:
  SignalPipe();
  ~SignalPipe();
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;

  // Blocks until one has come; its number.
  int wait();
  // As wait(), but at most so long; 0 if none came.
  int wait_ms(int milliseconds);
};

}  // namespace tulou::cli
