// What AddressSanitizer is told in every target; ASAN_OPTIONS adds to it.

// Most inputs end in an exception; the frames for use after return then pile up and make each run
// slower than the one before. The unit tests look for use after return.
extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=0"; }
