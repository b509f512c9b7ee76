// What XGrammar says: errors are thrown, and warnings are dropped, since the standard error stream
// is the program's own. Compiled with XGrammar (XGRAMMAR_LOG_CUSTOMIZE).
#include <support/logging.h>

#include <string>

namespace xgrammar {

void LogFatalImpl(const std::string& file, int lineno, const std::string& message) {
  throw LogFatalError(file, lineno, message);
}

void LogMessageImpl(const std::string& /*file*/, int /*lineno*/, int /*level*/,
                    const std::string& /*message*/) {}

}  // namespace xgrammar
