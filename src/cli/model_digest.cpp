#include "cli/model_digest.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "base/secret.h"
#include "checkpoint/checkpoint.h"

namespace tulou::cli {
namespace {

constexpr size_t kPiece = 16u << 20;         // hashed between two looks at the progress
constexpr size_t kMostRemembered = 256;      // files
constexpr int64_t kSettled = 2'000'000'000;  // ns; a file may change twice within one tick

// What tells a file from another one, and from itself before a change.
base::Json identity_of(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) throw base::Error("file.not_found", path);
  return {{"path", path},
          {"bytes", static_cast<int64_t>(status.st_size)},
          {"modified_ns", status.st_mtim.tv_sec * int64_t{1'000'000'000} + status.st_mtim.tv_nsec},
          {"inode", static_cast<int64_t>(status.st_ino)},
          {"device", static_cast<int64_t>(status.st_dev)}};
}

base::Digest file_digest(const std::string& path, base::Progress& progress) {
  const auto file = base::MappedFile::open(path);
  const std::span<const std::byte> data = file->data();
  base::Sha256 hash;
  progress.begin("checking weights", data.size(), base::ProgressUnit::kBytes);
  for (size_t at = 0; at < data.size(); at += kPiece) {
    hash.update(data.subspan(at, std::min(kPiece, data.size() - at)));
    progress.advance(std::min(at + kPiece, data.size()));
  }
  progress.end();
  file->check_unchanged();
  return hash.finish();
}

// {"files": [identity with "sha256"]}; a file that is not that is as good as none.
class Remembered {
 public:
  explicit Remembered(std::string path) : path_(std::move(path)) {
    try {
      const base::Json read = base::read_json_file(path_, 1u << 20);
      if (read.is_object() && read.contains("files") && read["files"].is_array())
        files_ = read["files"];
    } catch (const base::Error&) {
      // Computed anew below.
    }
  }

  std::optional<std::string> find(const base::Json& identity) const {
    for (const base::Json& file : files_) {
      if (!file.is_object() || !file.contains("sha256") || !file["sha256"].is_string()) continue;
      base::Json known = file;
      known.erase("sha256");
      if (known == identity) return file["sha256"].get<std::string>();
    }
    return std::nullopt;
  }

  // The digest is used all the same if this cannot be written.
  void add(base::Json identity, const std::string& digest) {
    base::Json kept = base::Json::array();
    for (const base::Json& file : files_) {
      const bool other = file.is_object() && file.contains("path") &&
                         file["path"] != identity["path"] && kept.size() + 1 < kMostRemembered;
      if (other) kept.push_back(file);
    }
    identity["sha256"] = digest;
    kept.insert(kept.begin(), std::move(identity));
    files_ = std::move(kept);
    try {
      base::DurableFile file(path_, base::FileAccess::kOwnerOnly);
      file.write(base::to_json_text({{"files", files_}}) + "\n");
      file.commit();
    } catch (const base::Error&) {
      // Computed anew at the next start.
    }
  }

 private:
  std::string path_;
  base::Json files_ = base::Json::array();
};

}  // namespace

base::Digest model_digest(const std::string& path, const std::string& folder,
                          base::Progress& progress) {
  const auto checkpoint = checkpoint::Checkpoint::open(path);
  Remembered remembered(folder + "/digests.json");
  base::Sha256 hash;
  hash.update("tulou model 1\n" + base::to_json_text(checkpoint->config()) + "\n");
  for (size_t i = 0; i < checkpoint->num_files(); ++i) {
    const base::Json identity = identity_of(checkpoint->file_path(i));
    std::optional<std::string> digest = remembered.find(identity);
    if (!digest) {
      digest = base::hex_text(file_digest(checkpoint->file_path(i), progress));
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      if (identity["modified_ns"].get<int64_t>() + kSettled <
          std::chrono::duration_cast<std::chrono::nanoseconds>(now).count())
        remembered.add(identity, *digest);
    }
    hash.update(*digest + "\n");
  }
  checkpoint->check_unchanged();
  return hash.finish();
}

base::Digest state_identity(const base::Digest& model, const Session& session) {
  // Another build may sum in another order.
  base::NoProgress quiet;
  base::Sha256 hash;
  hash.update("tulou states 1\n" + base::hex_text(model) + "\n" +
              base::hex_text(file_digest("/proc/self/exe", quiet)) + "\n" +
              std::string(hardware::name(session.kernels().level)) + "\n" +
              base::to_text(static_cast<int64_t>(session.precision())) + "\n" +
              base::to_text(static_cast<int64_t>(session.cache_type())) + "\n");
  return hash.finish();
}

}  // namespace tulou::cli
