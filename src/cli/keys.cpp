// tulou keys: makes, lists and revokes the API keys of the server.
#include <ctime>

#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "cli/command.h"
#include "serve/api_keys.h"

namespace tulou::cli {

namespace {

// "2026-01-31", UTC.
std::string date_text(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts = {};
  char text[16];
  if (::gmtime_r(&time, &parts) == nullptr ||
      std::strftime(text, sizeof(text), "%Y-%m-%d", &parts) == 0)
    return base::to_text(seconds);
  return text;
}

base::Json key_json(const serve::ApiKey& key) {
  base::Json limits = base::Json::object();
  if (key.limits.max_streams) limits["max_streams"] = *key.limits.max_streams;
  if (key.limits.max_answers) limits["max_answers"] = *key.limits.max_answers;
  if (key.limits.max_answer_tokens) limits["max_answer_tokens"] = *key.limits.max_answer_tokens;
  return {{"id", key.id},
          {"name", key.name},
          {"created", key.created},
          {"role", key.role == serve::KeyRole::kAdmin ? "admin" : "user"},
          {"priority", key.priority},
          {"limits", std::move(limits)}};
}

class KeysCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positional("ACTION", action_, "add, list or revoke", Need::kRequired);
    arguments.positional("NAME", name_,
                         "add: a name for the new key; revoke: the name or id of a key");
    arguments.text("--api-keys", "FILE", file_, "The file of keys", Need::kRequired);
    arguments.flag("--admin", admin_, "add: a key that may also change the server");
    arguments.integer("--priority", priority_, -1'000'000, 1'000'000,
                      "add: smaller comes first (default 0)");
    arguments.integer("--max-streams", limits_.max_streams, 1, kMost, "add: requests at once");
    arguments.integer("--max-answers", limits_.max_answers, 1, kMost,
                      "add: answers that one request may ask for");
    arguments.integer("--max-answer-tokens", limits_.max_answer_tokens, 1, kMost,
                      "add: tokens of all answers of one request");
    arguments.flag("--json", json_, "As one JSON object");
    arguments.examples(
        "Examples:\n"
        "  tulou keys add --api-keys keys.json laptop\n"
        "  tulou keys list --api-keys keys.json\n"
        "  tulou keys revoke --api-keys keys.json laptop\n");
  }

  int run(Output& out) override {
    if (action_ == "add") return add(out);
    if (action_ == "list") return list(out);
    if (action_ == "revoke") return revoke(out);
    throw base::Error("cli.bad_value", "ACTION", base::printable(action_),
                      "one of add, list, revoke");
  }

 private:
  static constexpr int64_t kMost = int64_t{1} << 40;

  const std::string& name() const {
    if (!name_) throw base::Error("cli.usage", "NAME is required", "keys");
    return *name_;
  }

  int add(Output& out) {
    serve::ApiKey key;
    key.name = name();
    key.role = admin_ ? serve::KeyRole::kAdmin : serve::KeyRole::kUser;
    key.priority = priority_.value_or(0);
    key.limits = limits_;
    const std::string secret = serve::KeyFile(file_).add(key);
    if (json_) {
      base::Json report = key_json(key);
      report["key"] = secret;
      out.write(base::to_json_text(report) + "\n");
    } else {
      message("the key of " + key.name + "; it is shown this once and stored nowhere:");
      out.write(secret + "\n");
    }
    return kExitOk;
  }

  int list(Output& out) {
    if (name_) throw base::Error("cli.extra_argument", "keys list", *name_);
    const serve::KeySet keys = serve::KeyFile(file_).list();
    if (json_) {
      base::Json list = base::Json::array();
      for (const serve::ApiKey& key : keys.keys()) list.push_back(key_json(key));
      out.write(base::to_json_text({{"keys", std::move(list)}}) + "\n");
      return kExitOk;
    }
    for (const serve::ApiKey& key : keys.keys()) {
      out.write(key.id + "  " + date_text(key.created) + "  " +
                (key.role == serve::KeyRole::kAdmin ? "admin" : "user ") + "  " + key.name + "\n");
    }
    return kExitOk;
  }

  int revoke(Output& out) {
    const serve::ApiKey key = serve::KeyFile(file_).revoke(name());
    if (json_) {
      out.write(base::to_json_text({{"revoked", key_json(key)}}) + "\n");
    } else {
      out.write("revoked " + key.id + " (" + key.name + ")\n");
    }
    return kExitOk;
  }

  std::string action_, file_;
  std::optional<std::string> name_;
  std::optional<int64_t> priority_;
  serve::KeyLimits limits_;
  bool admin_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_keys() { return std::make_unique<KeysCommand>(); }

}  // namespace tulou::cli
