#include "serve/response_head.h"

#include <chrono>

namespace tulou::serve {

ResponseHead response_head(std::string_view id_prefix, const LoadedModel& model,
                           const std::string& name) {
  using std::chrono::system_clock;
  ResponseHead head;
  head.id = response_id(id_prefix);
  head.created =
      std::chrono::duration_cast<std::chrono::seconds>(system_clock::now().time_since_epoch())
          .count();
  head.model = name.empty() ? model.names.front() : name;
  head.system_fingerprint = model.fingerprint;
  return head;
}

}  // namespace tulou::serve
