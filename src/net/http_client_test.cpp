// The client against the server, and how a server starts: http_client.cpp, listener.cpp, tls.cpp.
#include "net/http_client.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "net/test_server.h"
#include "net/tls.h"

namespace tulou::net {
namespace {

// The id of the Error that `action` throws.
std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& error) {
    return error.id();
  }
  return "none";
}

// A folder of its own that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = "/tmp/tulou-net-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

HttpClient client_of(const TestServer& test) {
  return HttpClient(parse_server_url(test.server->address()));
}

TEST(HttpClient, RequestsAndAnswers) {
  const TestServer test;
  HttpClient client(parse_server_url(test.server->address() + "/v1"));
  EXPECT_EQ(client.send("GET", "/hello", {}, "").body, "hello");
  const Headers json = {{"Content-Type", "application/json"}};
  EXPECT_EQ(client.send("POST", "/echo", json, "[1]").body, "[1]");
  EXPECT_EQ(client.send("POST", "/echo", json, "").body, "");
  const ClientResponse missing = client.send("GET", "/nothing", {}, "", [](std::string_view) {
    ADD_FAILURE() << "an error is not streamed";
    return true;
  });
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "there is nothing at this path\n");
  EXPECT_EQ(client.send("HEAD", "/hello", {}, "").header("content-length"), "5");
  EXPECT_EQ(client.send("POST", "/echo", json, std::string(2 << 20, 'x')).status, 413);
}

TEST(HttpClient, PiecesAreGivenAsTheyCome) {
  TestServer test;
  std::string all;
  std::atomic<size_t> pieces = 0;
  std::thread server([&] {
    EXPECT_TRUE(eventually([&] { return test.last_held() != nullptr; }));
    const auto exchange = test.last_held();
    exchange->begin_stream(200, {});
    for (size_t i = 0; i < 5; ++i) {
      exchange->write("piece " + base::to_text(i) + "\n");
      EXPECT_TRUE(eventually([&] { return pieces == i + 1; }));
    }
    exchange->end_stream();
  });
  HttpClient client = client_of(test);
  const auto response = client.send("GET", "/hold", {}, "", [&](std::string_view data) {
    all += data;
    ++pieces;
    return true;
  });
  server.join();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(all, "piece 0\npiece 1\npiece 2\npiece 3\npiece 4\n");
}

TEST(HttpClient, AFlagStopsIt) {
  const TestServer test;
  std::atomic<bool> cancel = false;
  ClientOptions options = parse_server_url(test.server->address());
  EXPECT_EQ(test.server->address(), "http://127.0.0.1:" + base::to_text(options.port));
  options.cancel = &cancel;
  HttpClient client(options);
  EXPECT_EQ(client.send("GET", "/hello", {}, "").body, "hello");
  cancel = true;
  EXPECT_EQ(error_of([&] { client.send("GET", "/hello", {}, ""); }), "run.cancelled");
}

TEST(HttpClient, ItCanStopAndBeStopped) {
  TestServer test;
  ClientOptions options = parse_server_url(test.server->address());
  HttpClient cancelled(options);
  std::thread other([&] {
    EXPECT_TRUE(eventually([&] { return test.last_held() != nullptr; }));
    cancelled.cancel();
  });
  EXPECT_EQ(error_of([&] { cancelled.send("GET", "/hold", {}, ""); }), "run.cancelled");
  other.join();
  EXPECT_TRUE(eventually([&] { return test.last_held()->gone(); }));
  options.idle_timeout = milliseconds(100);
  int waits = 0;
  options.on_wait = [&] { ++waits; };
  EXPECT_EQ(error_of([&] { HttpClient(options).send("GET", "/hold", {}, ""); }), "net.timeout");
  EXPECT_GE(waits, 1);
  options.idle_timeout = milliseconds(10'000);
  options.max_body = 4;
  EXPECT_EQ(error_of([&] { HttpClient(options).send("GET", "/hello", {}, ""); }),
            "net.response_too_large");
  test.server->stop();
  EXPECT_EQ(error_of([&] { HttpClient(options).send("GET", "/hello", {}, ""); }),
            "net.cannot_connect");
}

// Answers one connection with these bytes and closes it.
class OneAnswer {
 public:
  explicit OneAnswer(std::string bytes) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    listen(socket_, 1);
    thread_ = std::thread([this, bytes = std::move(bytes)] {
      const int connection = accept(socket_, nullptr, nullptr);
      char buffer[4096];
      if (recv(connection, buffer, sizeof(buffer), 0) > 0)
        send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      shutdown(connection, SHUT_WR);
      while (recv(connection, buffer, sizeof(buffer), 0) > 0) {
      }
      close(connection);
    });
  }
  ~OneAnswer() {
    thread_.join();
    close(socket_);
  }
  uint16_t port = 0;

 private:
  int socket_;
  std::thread thread_;
};

TEST(HttpClient, WrongAnswersAreErrors) {
  const auto outcome = [](const std::string& bytes) {
    const OneAnswer server(bytes);
    ClientOptions options;
    options.port = server.port;
    return error_of([&] { HttpClient(options).send("GET", "/", {}, ""); });
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  EXPECT_EQ(outcome(ok + "Content-Length: 2\r\n\r\nok"), "none");
  EXPECT_EQ(outcome("HTTP/1.1 100 Continue\r\n\r\n" + ok + "\r\nall until the end"), "none");
  EXPECT_EQ(outcome(""), "net.closed_early");
  EXPECT_EQ(outcome("SSH-2.0-x\r\n\r\n"), "net.bad_response");
  EXPECT_EQ(outcome("HTTP/1.1 2000 OK"), "net.bad_response");
  EXPECT_EQ(outcome("HTTP/1.1 999 OK\r\n\r\n"), "net.bad_response");
  EXPECT_EQ(outcome(ok + "no colon\r\n\r\n"), "net.bad_response");
  EXPECT_EQ(outcome(ok + "Content-Length: x\r\n\r\n"), "net.bad_response");
  EXPECT_EQ(outcome(ok + std::string(100'000, 'a')), "net.bad_response");
  EXPECT_EQ(outcome(ok + "Content-Length: 5\r\n\r\nok"), "net.closed_early");
  EXPECT_EQ(outcome(ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"), "net.closed_early");
  EXPECT_EQ(outcome(ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "net.bad_response");
}

TEST(HttpClient, Addresses) {
  EXPECT_EQ(parse_server_url("http://a.example:81/").port, 81);
  EXPECT_EQ(parse_server_url("http://[::1]/v1/").host, "::1");
  EXPECT_EQ(parse_server_url("http://localhost").port, 80);
  EXPECT_EQ(parse_server_url("unix:/run/x.sock").unix_path, "/run/x.sock");
  EXPECT_EQ(parse_server_url("unix:///run/x.sock").unix_path, "/run/x.sock");
  for (const char* bad : {"", "localhost:80", "http://", "http://a:b", "http://a/b", "unix:"})
    EXPECT_EQ(error_of([&] { parse_server_url(bad); }), "net.bad_url") << bad;
  EXPECT_EQ(error_of([] { parse_server_url("https://a.example"); }), "net.url_scheme");
}

TEST(Listening, UnixSocketsArePrivateAndStaleOnesAreReplaced) {
  const Folder folder;
  ServerOptions options;
  options.unix_path = folder.file("server");
  struct stat status{};
  {
    const TestServer test(options);
    EXPECT_EQ(test.server->port(), 0);
    EXPECT_EQ(test.server->address(), "unix:" + options.unix_path);
    HttpClient client(parse_server_url(test.server->address()));
    EXPECT_EQ(client.send("GET", "/hello", {}, "").body, "hello");
    ASSERT_EQ(lstat(options.unix_path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_EQ(error_of([&] { const TestServer second(options); }), "net.address_in_use");
    EXPECT_EQ(client.send("GET", "/hello", {}, "").body, "hello");
  }
  EXPECT_NE(lstat(options.unix_path.c_str(), &status), 0);
  const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  options.unix_path.copy(address.sun_path, options.unix_path.size());
  ASSERT_EQ(bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::close(stale);
  {
    const TestServer test(options);
    HttpClient client(parse_server_url(test.server->address()));
    EXPECT_EQ(client.send("GET", "/hello", {}, "").body, "hello");
  }
  options.unix_path = folder.file("file");
  base::DurableFile file(options.unix_path);
  file.write("precious");
  file.commit();
  EXPECT_EQ(error_of([&] { const TestServer test(options); }), "net.not_a_socket");
  EXPECT_EQ(base::read_file(options.unix_path, 100), "precious");
  options.unix_path = folder.file(std::string(120, 'a'));
  EXPECT_EQ(error_of([&] { const TestServer test(options); }), "net.unix_path_long");
  options.unix_path = folder.file("no/such/folder");
  EXPECT_EQ(error_of([&] { const TestServer test(options); }), "net.cannot_listen");
}

TEST(Listening, WhatIsRefused) {
  const TestServer first;
  ServerOptions options;
  options.port = first.server->port();
  EXPECT_EQ(error_of([&] { const TestServer second(options); }), "net.address_in_use");
  options.port = 0;
  options.host = "192.0.2.1";
  EXPECT_EQ(error_of([&] { const TestServer test(options); }), "net.cannot_listen");
  options.host = "no such host";
  EXPECT_EQ(error_of([&] { const TestServer test(options); }), "net.unknown_host");
  options.host = "0.0.0.0";
  EXPECT_EQ(error_of([&] { HttpServer(options, {}).start(); }), "net.exposed_open");
  options.allow_open = true;
  EXPECT_EQ(error_of([&] { HttpServer(options, {}).start(); }), "net.exposed_unencrypted");
  options.allow_unencrypted = true;
  EXPECT_EQ(error_of([&] { HttpServer(options, {}).start(); }), "none");
  for (const char* origin : {"*", "null", "https://a/"}) {
    options.cors_origins = {origin};
    EXPECT_EQ(error_of([&] { HttpServer(options, {}); }), "net.bad_origin");
  }
}

// A new key and a certificate for it, signed by itself.
void make_certificate(const std::string& cert, const std::string& key) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(EVP_EC_gen("P-256"),
                                                                 &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> x509(X509_new(), &X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
  X509_set_pubkey(x509.get(), pair.get());
  X509_NAME* name = X509_get_subject_name(x509.get());
  const auto* text = reinterpret_cast<const unsigned char*>("localhost");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(x509.get(), name);
  ASSERT_GT(X509_sign(x509.get(), pair.get(), EVP_sha256()), 0);
  using File = std::unique_ptr<FILE, int (*)(FILE*)>;
  const File cert_file(fopen(cert.c_str(), "w"), &fclose);
  const File key_file(fopen(key.c_str(), "w"), &fclose);
  ASSERT_EQ(PEM_write_X509(cert_file.get(), x509.get()), 1);
  ASSERT_EQ(PEM_write_PrivateKey(key_file.get(), pair.get(), nullptr, nullptr, 0, nullptr, nullptr),
            1);
  chmod(key.c_str(), 0600);
}

// One request over TLS of one version; the answer, or an empty text when there is no agreement.
std::string ask_encrypted(uint16_t port, int version, const char* ciphers = nullptr) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  SSL_CTX_set_security_level(context.get(), 0);
  if (ciphers != nullptr) SSL_CTX_set_cipher_list(context.get(), ciphers);
  const RawClient client(port);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(ssl.get(), client.descriptor());
  if (SSL_connect(ssl.get()) != 1) return "";
  const std::string request =
      "GET /hello HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\n"
      "Connection: close\r\n\r\n";
  SSL_write(ssl.get(), request.data(), static_cast<int>(request.size()));
  std::string all;
  char buffer[1024];
  int count = 0;
  while ((count = SSL_read(ssl.get(), buffer, sizeof(buffer))) > 0)
    all.append(buffer, static_cast<size_t>(count));
  // The end is said, not just there: nothing was cut off.
  if (SSL_get_error(ssl.get(), count) != SSL_ERROR_ZERO_RETURN) all += "(cut off)";
  return all;
}

TEST(Tls, OnlyNewVersionsWithForwardSecrecy) {
  const Folder folder;
  ServerOptions options;
  options.tls_cert = folder.file("cert.pem");
  options.tls_key = folder.file("key.pem");
  make_certificate(options.tls_cert, options.tls_key);
  const TestServer test(options);
  const uint16_t port = test.server->port();
  EXPECT_EQ(body_of(ask_encrypted(port, TLS1_3_VERSION)), "hello");
  EXPECT_EQ(body_of(ask_encrypted(port, TLS1_2_VERSION)), "hello");
  EXPECT_EQ(ask_encrypted(port, TLS1_1_VERSION), "");
  EXPECT_EQ(ask_encrypted(port, TLS1_2_VERSION, "AES128-GCM-SHA256"), "");
  EXPECT_EQ(ask_encrypted(port, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA"), "");
  RawClient plain(port);
  plain.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(plain.receive().find("hello"), std::string::npos);
  make_certificate(options.tls_cert, options.tls_key);
  test.server->reload_tls();
  EXPECT_EQ(body_of(ask_encrypted(port, TLS1_3_VERSION)), "hello");
}

TEST(Tls, WrongFilesAreRefused) {
  const Folder folder;
  const std::string cert = folder.file("cert.pem"), key = folder.file("key.pem");
  const std::string other_cert = folder.file("other.pem"), other_key = folder.file("other_key.pem");
  make_certificate(cert, key);
  make_certificate(other_cert, other_key);
  EXPECT_EQ(error_of([&] { make_tls_context(cert, key); }), "none");
  EXPECT_EQ(error_of([&] { make_tls_context(cert, other_key); }), "net.tls_mismatch");
  EXPECT_EQ(error_of([&] { make_tls_context(key, key); }), "net.tls_file");
  chmod(cert.c_str(), 0600);
  EXPECT_EQ(error_of([&] { make_tls_context(cert, cert); }), "net.tls_file");
  EXPECT_EQ(error_of([&] { make_tls_context(folder.file("none"), key); }), "file.not_found");
  EXPECT_EQ(error_of([&] { make_tls_context(cert, folder.file("none")); }), "file.not_found");
  chmod(key.c_str(), 0640);
  EXPECT_EQ(error_of([&] { make_tls_context(cert, key); }), "net.tls_key_open");
}

}  // namespace
}  // namespace tulou::net
