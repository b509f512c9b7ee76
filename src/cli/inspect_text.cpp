// The report about a model as text for people.
#include "base/json_value.h"
#include "base/number.h"
#include "cli/inspect_report.h"

namespace tulou::cli {

namespace {

using base::Json;

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string line(const std::string& name, const std::string& value) {
  return padded(name, 22) + value + "\n";
}

std::string bytes_text(const Json& value) { return base::human_bytes(value.get<uint64_t>()); }

// Any plain value, safe to show.
std::string plain_text(const Json& value) {
  return value.is_string() ? base::printable(value.get<std::string>()) : value.dump();
}

std::string count_text(uint64_t value) {
  if (value >= 1'000'000'000) return base::fixed(static_cast<double>(value) / 1e9, 2) + " billion";
  if (value >= 1'000'000) return base::fixed(static_cast<double>(value) / 1e6, 1) + " million";
  return base::to_text(value);
}

std::string token_text(const Json& token) {
  if (token.is_null()) return "none";
  return base::printable(token["text"].get<std::string>()) + " (" + token["id"].dump() + ")";
}

std::string layers_text(const Json& layers) {
  std::string text = layers["total"].dump() + ":";
  const auto add = [&](const char* key, const char* name) {
    if (layers[key] != 0) text += " " + layers[key].dump() + " " + name + ",";
  };
  add("full_attention", "full attention");
  add("linear_attention", "linear attention");
  add("mixture_of_experts", "with a mixture of experts");
  text.pop_back();
  return text;
}

std::string memory_text(const Json& memory) {
  const Json& cache = memory["cache_bytes_per_1000_tokens"];
  std::string text = line("weights", bytes_text(memory["weights_bytes"]) + " (the files hold " +
                                         bytes_text(memory["file_tensor_bytes"]) + ")");
  text += line("cache, 1,000 tokens", bytes_text(cache["f16"]) + " (f16, bf16), " +
                                          bytes_text(cache["f32"]) + " (f32), " +
                                          bytes_text(cache["q8_0"]) + " (q8_0)");
  return text + line("recurrent state", bytes_text(memory["recurrent_state_bytes"]));
}

std::string tokenizer_text(const Json& report) {
  const Json& tokenizer = report["tokenizer"];
  if (tokenizer.is_null()) return line("tokenizer", "none");
  std::string stops;
  for (const Json& token : tokenizer["stop_tokens"])
    stops += (stops.empty() ? "" : ", ") + token_text(token);
  std::string text = line(
      "tokenizer", tokenizer["tokens"].dump() + " tokens, " + tokenizer["special_tokens"].dump() +
                       " special, pre-tokenizer " + plain_text(tokenizer["pre_tokenizer"]));
  text += line("bos, eos, pad", token_text(tokenizer["bos"]) + ", " + token_text(tokenizer["eos"]) +
                                    ", " + token_text(tokenizer["pad"]));
  text += line("stop tokens", stops.empty() ? "none" : stops);
  const Json& chat_template = report["chat_template"];
  return text + line("chat template", chat_template.is_null()
                                          ? "none"
                                          : chat_template["bytes"].dump() + " bytes, " +
                                                plain_text(chat_template["source"]));
}

std::string pairs_text(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items())
    text += (text.empty() ? "" : ", ") + key + " " + plain_text(value);
  return text;
}

std::string tensor_lines(const Json& tensors) {
  std::string text = "\ntensors\n";
  for (const Json& tensor : tensors) {
    text += "  " + padded(plain_text(tensor["name"]), 56) + " " +
            padded(plain_text(tensor["type"]), 6) + " " + padded(tensor["shape"].dump(), 20) + " " +
            bytes_text(tensor["bytes"]) + (tensor["used"] == true ? "" : " (not loaded)") + "\n";
  }
  return text;
}

}  // namespace

std::string kernels_text(const Json& kernels) {
  std::string available;
  for (const Json& level : kernels["available"])
    available += (available.empty() ? "" : ", ") + plain_text(level);
  return line("processor", plain_text(kernels["processor"])) + line("kernel levels", available) +
         line("kernels that run", plain_text(kernels["chosen"]));
}

std::string report_text(const Json& report) {
  std::string text = line("model", plain_text(report["path"]));
  text += line("format", plain_text(report["format"]) + ", " + report["files"].dump() +
                             (report["files"] == 1 ? " file" : " files"));
  text += line("family", plain_text(report["family"]));
  text += line("parameters", count_text(report["parameters"].get<uint64_t>()));
  text += line("layers", layers_text(report["layers"]));
  text += line("context", report["context"].dump() + " tokens");
  text += line("sizes", pairs_text(report["config"]));
  text += memory_text(report["memory"]);
  text += tokenizer_text(report);
  if (!report["sampling"].is_null()) {
    text += line("sampling", pairs_text(report["sampling"]));
    text += line("sampling, thinking", pairs_text(report["sampling_thinking"]));
  }
  text += kernels_text(report["kernels"]);
  std::string types;
  for (const auto& [type, sum] : report["types"].items())
    types += (types.empty() ? "" : ", ") + sum["tensors"].dump() + " " + base::printable(type) +
             " (" + bytes_text(sum["bytes"]) + ")";
  text += line("types", types);
  std::string conversions;
  for (const Json& c : report["conversions"])
    conversions += (conversions.empty() ? "" : ", ") + c["tensors"].dump() + " " +
                   plain_text(c["from"]) + " to " + plain_text(c["to"]);
  if (!conversions.empty()) text += line("converted on loading", conversions);
  if (report.contains("metadata")) {
    text += "\nmetadata\n";
    for (const auto& [key, value] : report["metadata"].items())
      text += "  " + padded(base::printable(key), 42) + " " + plain_text(value) + "\n";
  }
  return text + tensor_lines(report["tensors"]);
}

}  // namespace tulou::cli
