#include "net/http_response.h"

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/number.h"
#include "net/http_guard.h"

namespace tulou::net {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 30> kReasons = {{
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

std::string two_digits(unsigned value) {
  return {static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
}

bool is_framing(std::string_view lower) {
  return lower == "content-length" || lower == "transfer-encoding" || lower == "connection" ||
         lower == "date" || lower == "trailer";
}

}  // namespace

std::string_view reason_phrase(int status) {
  for (const auto& [number, reason] : kReasons)
    if (number == status) return reason;
  return "Unknown";
}

std::string http_date(std::chrono::system_clock::time_point when) {
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(seconds - day);
  const unsigned weekday = std::chrono::weekday(day).c_encoding();
  std::string text(kDays.substr(weekday * 3, 3));
  text += ", " + two_digits(static_cast<unsigned>(date.day())) + " ";
  text += kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3);
  text += " " + base::to_text(static_cast<int>(date.year())) + " ";
  text += two_digits(static_cast<unsigned>(time.hours().count())) + ":";
  text += two_digits(static_cast<unsigned>(time.minutes().count())) + ":";
  text += two_digits(static_cast<unsigned>(time.seconds().count())) + " GMT";
  return text;
}

std::string response_head(int status, const Headers& headers, const ResponseFraming& framing) {
  std::string head = "HTTP/1.1 " + base::to_text(status) + " ";
  head += reason_phrase(status);
  head += "\r\nDate: " + http_date(std::chrono::system_clock::now()) + "\r\n";
  if (status == 204 || status == 304) {
    // These have no body, and say nothing about one.
  } else if (framing.content_length) {
    head += "Content-Length: " + base::to_text(*framing.content_length) + "\r\n";
  } else if (framing.chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  }
  head += framing.close ? "Connection: close\r\n" : "Connection: keep-alive\r\n";
  for (const auto& [name, value] : headers) {
    if (!is_token(name) || is_framing(to_lower(name))) continue;
    head += name + ": ";
    for (const char c : value) head += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    head += "\r\n";
  }
  return head + "\r\n";
}

}  // namespace tulou::net
