// The peer of the campaigns: llama.cpp's shared libraries behind their C interface, which reads
// token ids and writes logits, or times a prompt and decoding. Built by setup.sh.
//   peer logits LIBRARIES MODEL IDS.txt OUT.f32 CPU|auto     raw float32 rows
//   peer speed LIBRARIES MODEL CPU|auto THREADS     reads lines "PROMPT ANSWER", numbers of tokens,
//     and answers each with the tokens per second of both, and per second of processor time
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "llama.h"

namespace {

int fail(const std::string& what) {
  std::cerr << "peer: " << what << "\n";
  return 1;
}

double now(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Tokens per second by the clock, and by the processor time of this process.
struct Speed {
  double wall = 0, processor = 0;
};

llama_model* load(const std::string& libraries, const std::string& path, const std::string& cpu) {
  llama_log_set(
      [](ggml_log_level level, const char* text, void*) {
        if (level == GGML_LOG_LEVEL_ERROR || std::strstr(text, "loaded CPU backend") != nullptr)
          std::cerr << text;
      },
      nullptr);
  if (cpu == "auto") {
    ggml_backend_load_all_from_path(libraries.c_str());
  } else {
    ggml_backend_load((libraries + "/libggml-cpu-" + cpu + ".so").c_str());
  }
  llama_backend_init();
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = 0;
  return llama_model_load_from_file(path.c_str(), params);
}

bool decode(llama_context* context, std::vector<llama_token>& tokens) {
  const auto count = static_cast<int32_t>(tokens.size());
  return llama_decode(context, llama_batch_get_one(tokens.data(), count)) == 0;
}

// Logits of every position, in full precision: F32 cache, no flash attention.
int write_logits(llama_model* model, const std::string& ids_path, const std::string& out_path) {
  std::ifstream ids_file(ids_path);
  std::vector<llama_token> ids;
  for (llama_token id = 0; ids_file >> id;) ids.push_back(id);
  const auto count = static_cast<uint32_t>(ids.size());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = count + 64;
  params.n_batch = params.n_ubatch = count + 64;
  params.n_threads = params.n_threads_batch = 1;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  llama_context* context = llama_init_from_model(model, params);
  if (context == nullptr) return fail("no context");
  llama_batch batch = llama_batch_init(static_cast<int32_t>(count), 0, 1);
  batch.n_tokens = static_cast<int32_t>(count);
  for (uint32_t i = 0; i < count; ++i) {
    batch.token[i] = ids[i];
    batch.pos[i] = static_cast<llama_pos>(i);
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  if (llama_decode(context, batch) != 0) return fail("llama_decode failed");
  const auto width = static_cast<size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)));
  std::ofstream out(out_path, std::ios::binary);
  for (uint32_t i = 0; i < count; ++i) {
    const float* row = llama_get_logits_ith(context, static_cast<int32_t>(i));
    out.write(reinterpret_cast<const char*>(row),
              static_cast<std::streamsize>(width * sizeof(float)));
  }
  out.flush();
  return out ? 0 : fail("cannot write " + out_path);
}

// Default options, as llama.cpp's users have them.
int answer_speed(llama_model* model, int threads) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 2048;
  params.n_batch = 2048;
  params.n_ubatch = 512;
  params.n_threads = params.n_threads_batch = threads;
  llama_context* context = llama_init_from_model(model, params);
  if (context == nullptr) return fail("no context");
  const int32_t vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
  uint32_t state = 1;
  const auto any_tokens = [&](int count) {
    std::vector<llama_token> tokens(static_cast<size_t>(count));
    for (llama_token& token : tokens) {
      state = state * 1664525u + 1013904223u;
      token = static_cast<llama_token>((state >> 8) % static_cast<uint32_t>(vocabulary - 64));
    }
    return tokens;
  };
  const auto timed = [&](int count, int at_once) {
    const double wall = now(CLOCK_MONOTONIC), processor = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < count; i += at_once) {
      std::vector<llama_token> tokens = any_tokens(at_once);
      if (!decode(context, tokens)) return Speed{};
      llama_synchronize(context);
    }
    return Speed{count / (now(CLOCK_MONOTONIC) - wall),
                 count / (now(CLOCK_PROCESS_CPUTIME_ID) - processor)};
  };
  for (int prompt = 0, answer = 0; std::cin >> prompt >> answer;) {
    llama_memory_clear(llama_get_memory(context), true);
    const Speed prefill = timed(prompt, prompt);
    const Speed decoding = timed(answer, 1);
    if (prefill.wall == 0 || decoding.wall == 0) return fail("llama_decode failed");
    std::cout << prefill.wall << " " << decoding.wall << " " << prefill.processor << " "
              << decoding.processor << std::endl;
  }
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 6 && arguments[0] == "logits") {
    llama_model* model = load(arguments[1], arguments[2], arguments[5]);
    return model != nullptr ? write_logits(model, arguments[3], arguments[4]) : fail("no model");
  }
  if (arguments.size() == 5 && arguments[0] == "speed") {
    llama_model* model = load(arguments[1], arguments[2], arguments[3]);
    int threads = 1;
    std::from_chars(arguments[4].data(), arguments[4].data() + arguments[4].size(), threads);
    return model != nullptr ? answer_speed(model, threads) : fail("no model");
  }
  return fail("wrong arguments");
}

}  // namespace

int main(int argc, char** argv) {
  const int status = run(std::vector<std::string>(argv + 1, argv + argc));
  std::cout.flush();
  std::_Exit(status);  // the libraries' own tear-down order is not ours to test
}
