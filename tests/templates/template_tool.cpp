// Renders many conversations in one process, for the scripts in this folder.
//   template_tool FILE   FILE: {"templates": {NAME: SOURCE}, "contexts": {NAME: CONTEXT},
//                               "cases": [{"template": NAME, "context": NAME or CONTEXT}]}
// Prints a JSON array: per case {"text": ..., "data": [[begin, end], ...]} (byte ranges that came
// from data) or {"error": ID, "message": ...}.
#include <cstdio>
#include <map>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "text/template.h"

namespace {

using tulou::base::Error;
using tulou::base::Json;
using tulou::text::ChatTemplate;

Json render(const std::string& source, const std::string& name, const Json& context) {
  Json result;
  try {
    const ChatTemplate parsed = ChatTemplate::parse(source, name);
    std::string text;
    Json ranges = Json::array();
    for (const auto& segment : parsed.render(context)) {
      if (segment.from_data) ranges.push_back({text.size(), text.size() + segment.text.size()});
      text += segment.text;
    }
    result["text"] = text;
    result["data"] = ranges;
  } catch (const Error& error) {
    result["error"] = error.id();
    result["message"] = error.what();
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const Json file = tulou::base::read_json_file(argv[1], 1u << 30);
    Json results = Json::array();
    for (const Json& one : file["cases"]) {
      const std::string name = one["template"].get<std::string>();
      const Json& context = one["context"].is_string()
                                ? file["contexts"][one["context"].get<std::string>()]
                                : one["context"];
      results.push_back(render(file["templates"][name].get<std::string>(), name, context));
    }
    std::fputs(tulou::base::to_json_text(results).c_str(), stdout);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
