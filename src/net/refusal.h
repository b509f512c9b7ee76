// Every answer that the server gives by itself when it refuses a request: status, id, message.
// Messages name no data of the request. docs/http.md lists them.
#pragma once

#include <span>
#include <string_view>

namespace tulou::net {

struct Refusal {
  int status;
  std::string_view id;
  std::string_view message;
};

// Statuses as in RFC 9110 and 9112, RFC 6585 for 431.
namespace refusal {

inline constexpr Refusal kBadByte{400, "http.bad_byte",
                                  "the header has a control character or a bare line feed"};
inline constexpr Refusal kBadRequestLine{400, "http.bad_request_line",
                                         "the request line is not \"METHOD /path HTTP/1.1\""};
inline constexpr Refusal kBadTarget{400, "http.bad_target",
                                    "the request target is not a path with an optional query"};
inline constexpr Refusal kBadPath{
    400, "http.bad_path",
    "the path has a dot segment, a control character, or wrong percent or UTF-8 encoding"};
inline constexpr Refusal kBadField{400, "http.bad_field",
                                   "a header field is malformed or folded over lines"};
inline constexpr Refusal kRepeatedField{400, "http.repeated_field",
                                        "a header field that may stand once stands more than once"};
inline constexpr Refusal kBadHost{400, "http.bad_host",
                                  "the Host field is missing, repeated or malformed"};
inline constexpr Refusal kBadLength{400, "http.bad_length",
                                    "Content-Length is repeated or not a number"};
inline constexpr Refusal kLengthAndChunked{400, "http.length_and_chunked",
                                           "Content-Length and Transfer-Encoding stand together"};
inline constexpr Refusal kBadTransferEncoding{400, "http.bad_transfer_encoding",
                                              "Transfer-Encoding is not \"chunked\""};
inline constexpr Refusal kTrailer{400, "http.trailer", "trailer fields are not accepted"};
inline constexpr Refusal kBadChunk{400, "http.bad_chunk",
                                   "a chunk is malformed or has an extension"};
inline constexpr Refusal kUnauthorized{401, "http.unauthorized",
                                       "a valid key is needed: \"Authorization: Bearer KEY\""};
inline constexpr Refusal kForbidden{403, "http.forbidden", "this key may not do that"};
inline constexpr Refusal kHostNotAllowed{403, "http.host_not_allowed",
                                         "this server does not answer for that Host"};
inline constexpr Refusal kOriginNotAllowed{403, "http.origin_not_allowed",
                                           "pages of that Origin may not use this server"};
inline constexpr Refusal kNotFound{404, "http.not_found", "there is nothing at this path"};
inline constexpr Refusal kMethodNotAllowed{405, "http.method_not_allowed",
                                           "this path does not take that method (see Allow)"};
inline constexpr Refusal kHeaderDeadline{408, "http.header_deadline",
                                         "the header did not arrive in time"};
inline constexpr Refusal kBodyDeadline{408, "http.body_deadline",
                                       "the body did not arrive in time"};
inline constexpr Refusal kLengthRequired{411, "http.length_required",
                                         "neither Content-Length nor a chunked body"};
inline constexpr Refusal kBodyTooLarge{413, "http.body_too_large",
                                       "the body is larger than this path allows"};
inline constexpr Refusal kTargetTooLong{414, "http.target_too_long",
                                        "the request target is longer than 8192 bytes"};
inline constexpr Refusal kMediaType{415, "http.media_type", "the body must be application/json"};
inline constexpr Refusal kContentEncoding{415, "http.content_encoding",
                                          "compressed bodies are not accepted"};
inline constexpr Refusal kExpectation{417, "http.expectation", "Expect is not \"100-continue\""};
inline constexpr Refusal kHeaderTooLarge{431, "http.header_too_large",
                                         "the header is too large or has too many fields"};
inline constexpr Refusal kInternal{500, "http.internal", "the server failed to answer"};
inline constexpr Refusal kUnknownMethod{501, "http.unknown_method",
                                        "the method is not one of HTTP/1.1"};
inline constexpr Refusal kUnknownCoding{501, "http.unknown_coding",
                                        "only the transfer coding \"chunked\" is known"};
inline constexpr Refusal kBusy{503, "http.busy", "the server is busy, try again"};
inline constexpr Refusal kVersion{505, "http.version", "only HTTP/1.1 and HTTP/1.0 are spoken"};

// All of them, for documentation and its test.
inline constexpr const Refusal* kAll[] = {
    &kBadByte,          &kBadRequestLine,      &kBadTarget,      &kBadPath,
    &kBadField,         &kRepeatedField,       &kBadHost,        &kBadLength,
    &kLengthAndChunked, &kBadTransferEncoding, &kTrailer,        &kBadChunk,
    &kUnauthorized,     &kForbidden,           &kHostNotAllowed, &kOriginNotAllowed,
    &kNotFound,         &kMethodNotAllowed,    &kHeaderDeadline, &kBodyDeadline,
    &kLengthRequired,   &kBodyTooLarge,        &kTargetTooLong,  &kMediaType,
    &kContentEncoding,  &kExpectation,         &kHeaderTooLarge, &kInternal,
    &kUnknownMethod,    &kUnknownCoding,       &kBusy,           &kVersion,
};

}  // namespace refusal
}  // namespace tulou::net
