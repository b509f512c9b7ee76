#include "grammar/formats.h"

#include <array>

namespace tulou::grammar {
namespace {

struct Format {
  std::string_view name;
  std::string_view pattern;
};

// RFC 3339 without 29 February and leap seconds, whose validity depends on the date.
#define TULOU_DATE                                                                      \
  "(19|20)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12]" \
  "[0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
#define TULOU_TIME \
  "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])"
#define TULOU_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define TULOU_LABEL "[A-Za-z]([A-Za-z0-9]{0,30}[A-Za-z0-9])?"
#define TULOU_HOST TULOU_LABEL "(\\." TULOU_LABEL "){0,6}"

constexpr std::array<Format, 9> kFormats = {{
    {"date", "^" TULOU_DATE "$"},
    {"time", "^" TULOU_TIME "$"},
    {"date-time", "^" TULOU_DATE "T" TULOU_TIME "$"},
    {"email", "^[A-Za-z0-9_+-]{1,30}(\\.[A-Za-z0-9_+-]{1,30}){0,1}@" TULOU_HOST "$"},
    {"hostname", "^" TULOU_HOST "$"},
    {"ipv4", "^(" TULOU_BYTE "\\.){3}" TULOU_BYTE "$"},
    {"ipv6", "^([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}$"},
    {"uri", "^https?://" TULOU_HOST "(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~-]{0,64}){0,16}"
            "(\\?[A-Za-z0-9._~=&-]{0,256})?(#[A-Za-z0-9._~-]{0,64})?$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"},
}};

}  // namespace

std::optional<std::string_view> format_pattern(std::string_view format) {
  for (const Format& one : kFormats) {
    if (one.name == format) return one.pattern;
  }
  return std::nullopt;
}

std::string format_names() {
  std::string names;
  for (const Format& one : kFormats) {
    if (!names.empty()) names += ", ";
    names += one.name;
  }
  return names;
}

}  // namespace tulou::grammar
