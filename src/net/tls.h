// The TLS side of a server: certificate, key and policy in an OpenSSL context.
#pragma once

#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;  // NOLINT(modernize-use-using): as OpenSSL declares it

namespace tulou::net {

// TLS 1.2 and 1.3 with forward secrecy, no renegotiation, no compression. PEM files; the key must
// not be readable by group or others and has no passphrase. Errors net.tls_file, net.tls_key_open,
// net.tls_mismatch.
std::shared_ptr<SSL_CTX> make_tls_context(const std::string& cert_path,
                                          const std::string& key_path);

}  // namespace tulou::net
