// tulou cache: what a server with --cache-dir has kept on disk.
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_value.h"
#include "base/number.h"
#include "base/secret.h"
#include "cli/command.h"
#include "engine/prefix_store.h"

namespace tulou::cli {

namespace {

class CacheCommand final : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positional("ACTION", action_, "list or clear", Need::kRequired);
    arguments.text("--cache-dir", "FOLDER", folder_, "The folder that the server was given",
                   Need::kRequired);
    arguments.flag("--json", json_, "As one JSON object");
    arguments.examples(
        "Examples:\n"
        "  tulou cache list --cache-dir ~/.cache/tulou/states\n"
        "  tulou cache clear --cache-dir ~/.cache/tulou/states\n");
  }

  int run(Output& out) override {
    if (action_ == "list") return list(out);
    if (action_ == "clear") return clear(out);
    throw base::Error("cli.bad_value", "ACTION", base::printable(action_), "one of list, clear");
  }

 private:
  int list(Output& out) const {
    const std::vector<engine::StoredPrefix> found = engine::PrefixStore::list(folder_);
    base::Json entries = base::Json::array();
    uint64_t bytes = 0;
    for (const engine::StoredPrefix& one : found) {
      bytes += one.bytes;
      const std::string name = base::hex_text(one.head.name).substr(0, 16);
      const std::string model = base::hex_text(one.head.identity).substr(0, 16);
      const int64_t used = one.used_ns / 1'000'000'000;
      if (json_) {
        entries.push_back({{"name", name},
                           {"model", model},
                           {"tokens", static_cast<int64_t>(one.head.length)},
                           {"bytes", static_cast<int64_t>(one.bytes)},
                           {"used", used}});
      } else {
        out.write(name);
        out.write("  model " + model);
        out.write("  " + base::to_text(one.head.length) + " tokens");
        out.write("  " + base::human_bytes(one.bytes) + "\n");
      }
    }
    if (json_) {
      out.write(base::to_json_text(
                    {{"entries", std::move(entries)}, {"bytes", static_cast<int64_t>(bytes)}}) +
                "\n");
    } else {
      message(base::to_text(found.size()) + " states, " + base::human_bytes(bytes));
    }
    return kExitOk;
  }

  int clear(Output& out) const {
    const engine::PrefixStore::Cleared cleared = engine::PrefixStore::clear(folder_);
    if (json_) {
      out.write(base::to_json_text({{"removed", cleared.entries},
                                    {"bytes", static_cast<int64_t>(cleared.bytes)}}) +
                "\n");
    } else {
      out.write("removed " + base::to_text(cleared.entries) + " states, " +
                base::human_bytes(cleared.bytes) + "\n");
    }
    return kExitOk;
  }

  std::string action_, folder_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_cache() { return std::make_unique<CacheCommand>(); }

}  // namespace tulou::cli
