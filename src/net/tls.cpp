#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "base/number.h"

namespace tulou::net {
namespace {

using base::Error;

std::string openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

// Without it, OpenSSL would ask for a passphrase on the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

void check_private(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) throw Error("file.not_found", path);
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) throw Error("net.tls_key_open", path);
}

}  // namespace

std::shared_ptr<SSL_CTX> make_tls_context(const std::string& cert_path,
                                          const std::string& key_path) {
  struct stat status{};
  if (stat(cert_path.c_str(), &status) != 0) throw Error("file.not_found", cert_path);
  check_private(key_path);
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  SSL_CTX* raw = context.get();
  if (raw == nullptr) throw Error("net.tls_file", cert_path, openssl_error());
  SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(
      raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // For 1.2; all of 1.3 has forward secrecy and authenticated encryption.
  SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(raw, cert_path.c_str()) != 1)
    throw Error("net.tls_file", cert_path, openssl_error());
  if (SSL_CTX_use_PrivateKey_file(raw, key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) {
      ERR_clear_error();
      throw Error("net.tls_mismatch", key_path, cert_path);
    }
    throw Error("net.tls_file", key_path, openssl_error());
  }
  if (SSL_CTX_check_private_key(raw) != 1) {
    ERR_clear_error();
    throw Error("net.tls_mismatch", key_path, cert_path);
  }
  return context;
}

}  // namespace tulou::net
