// What runs inside of the helper process.
#pragma once

namespace tulou::grammar {

// Answers messages until the other side closes the socket. Never returns.
[[noreturn]] void run_helper(int socket);

}  // namespace tulou::grammar
