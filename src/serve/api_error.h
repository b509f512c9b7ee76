// The one place where something that went wrong becomes an HTTP status and OpenAI's error object.
// What is not known here to be the client's business is told in general words only.
#pragma once

#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace tulou::serve {

struct ApiError {
  int status = 500;
  std::string type, message;
  std::string param;      // the field; empty: null
  std::string code;       // for programs; empty: null
  int retry_after_s = 0;  // for the header Retry-After; 0: none

  // {"error": {"message", "type", "param", "code"}}.
  base::Json body() const;
};

// Any exception. An Error whose id is unknown here, and everything else, is a 500 or 503 without
// its words.
ApiError api_error(const base::Error& error);
ApiError api_error(const std::exception& error);
ApiError api_error(const std::exception_ptr& error);

// Error serve.model_not_found with the nearest of the names that are served.
base::Error model_not_found(std::string_view name, std::span<const std::string> served);

}  // namespace tulou::serve
