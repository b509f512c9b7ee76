// The peer of the campaigns: llama.cpp's shared libraries behind their C interface, which reads
// token ids and writes logits, or times a prompt or decoding. Built by setup.sh.
//   peer logits LIBRARIES MODEL IDS.txt OUT.f32 CPU|auto [default]     raw float32 rows; default:
//     with its default options, not in full precision
//   peer quantize LIBRARIES IN.gguf OUT.gguf FTYPE [weighted]     FTYPE: a number of llama_ftype;
//     weighted: as with an importance matrix, of which no tensor has anything
//   peer bench LIBRARIES MODEL CPU|auto THREADS prefill|decode TOKENS DEPTH BATCH     one JSON line
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iomanip>
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

void load_backend(const std::string& libraries, const std::string& cpu) {
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
}

llama_model* load(const std::string& path) {
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = 0;
  return llama_model_load_from_file(path.c_str(), params);
}

// Logits of every position; in full precision (F32 cache, no flash attention) or as by default.
int write_logits(llama_model* model, const std::string& ids_path, const std::string& out_path,
                 bool full_precision) {
  std::ifstream ids_file(ids_path);
  std::vector<llama_token> ids;
  for (llama_token id = 0; ids_file >> id;) ids.push_back(id);
  const auto count = static_cast<uint32_t>(ids.size());
  llama_context_params params = llama_context_default_params();
  params.n_ctx = count + 64;
  params.n_batch = params.n_ubatch = count + 64;
  params.n_threads = params.n_threads_batch = 1;
  if (full_precision) {
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  }
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

// Any ids of the vocabulary but its end, where special tokens are.
class AnyTokens {
 public:
  explicit AnyTokens(const llama_model* model)
      : below_(static_cast<uint32_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)) - 64)) {}
  llama_token next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<llama_token>((state_ >> 8) % below_);
  }

 private:
  uint32_t below_, state_ = 1;
};

// What `peer bench` measures: `tokens` of a prompt, or decoded by each of `batch` sequences that
// have `depth` tokens before.
struct Task {
  bool prefill = false;
  int tokens = 0, depth = 0, batch = 1;
};

class Bench {
 public:
  Bench(llama_model* model, const Task& task, int threads) : task_(task), tokens_(model) {
    llama_context_params params = llama_context_default_params();  // as its users have them
    params.n_ctx = static_cast<uint32_t>(task.batch * (task.depth + task.tokens + 64));
    params.n_seq_max = static_cast<uint32_t>(task.batch);
    params.n_batch = kBatch;
    params.n_ubatch = 512;
    params.n_threads = params.n_threads_batch = threads;
    context_ = llama_init_from_model(model, params);
    batch_ = llama_batch_init(kBatch, 0, 1);
  }
  bool ready() const { return context_ != nullptr; }
  bool failed() const { return failed_; }

  void clear() { llama_memory_clear(llama_get_memory(context_), true); }

  // `count` tokens of one sequence from its place `begin` on, in pieces, with the last one's
  // logits.
  void read(int sequence, int begin, int count) {
    for (int i = 0; i < count; ++i) {
      add(begin + i, sequence, i + 1 == count);
      if (batch_.n_tokens == kBatch || i + 1 == count) decode();
    }
  }

  // Every sequence `count` tokens further, one at a time, with all logits.
  void step(int begin, int count) {
    for (int i = 0; i < count; ++i) {
      for (int sequence = 0; sequence < task_.batch; ++sequence) add(begin + i, sequence, true);
      decode();
    }
  }

 private:
  static constexpr int kBatch = 2048;

  void add(int position, int sequence, bool logits) {
    const int i = batch_.n_tokens++;
    batch_.token[i] = tokens_.next();
    batch_.pos[i] = position;
    batch_.n_seq_id[i] = 1;
    batch_.seq_id[i][0] = sequence;
    batch_.logits[i] = logits ? 1 : 0;
  }

  void decode() {
    failed_ = failed_ || llama_decode(context_, batch_) != 0;
    llama_synchronize(context_);
    batch_.n_tokens = 0;
  }

  Task task_;
  AnyTokens tokens_;
  llama_context* context_ = nullptr;
  llama_batch batch_ = {};
  bool failed_ = false;
};

// Seconds of processor time that everyone has used since boot (proc(5): user, nice, system, idle,
// iowait, irq, softirq, steal).
double busy_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  file >> word;
  double busy = 0;
  for (int i = 0; i < 8; ++i) {
    double ticks = 0;
    file >> ticks;
    if (i != 3 && i != 4) busy += ticks;
  }
  return busy / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// The most memory that this process had, in bytes.
double peak_memory() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    double kib = 0;
    if (word == "VmHWM:" && file >> kib) return kib * 1024;
  }
  return 0;
}

// One measurement after one that does not count, as one line of JSON, like `tulou bench --json
// --repeat 1`: `begin` is when loading began.
int bench(llama_model* model, const Task& task, int threads, double begin) {
  const double loaded = now(CLOCK_MONOTONIC);
  Bench bench(model, task, threads);
  if (!bench.ready()) return fail("no context");
  bench.read(0, 0, task.prefill ? std::min(task.tokens, 32) : 32);
  const double first_token = now(CLOCK_MONOTONIC);
  bench.clear();
  if (task.prefill) {
    bench.read(0, 0, task.tokens);
  } else {
    bench.step(0, task.tokens);
  }
  bench.clear();
  for (int sequence = 0; sequence < task.batch && task.depth > 0; ++sequence)
    bench.read(sequence, 0, task.depth);
  const double wall = now(CLOCK_MONOTONIC), own = now(CLOCK_PROCESS_CPUTIME_ID);
  const double busy = busy_seconds();
  if (task.prefill) {
    bench.read(0, 0, task.tokens);
  } else {
    bench.step(task.depth, task.tokens);
  }
  const double seconds = now(CLOCK_MONOTONIC) - wall;
  const double others = busy_seconds() - busy - (now(CLOCK_PROCESS_CPUTIME_ID) - own);
  if (bench.failed()) return fail("llama_decode failed");
  std::cout << std::setprecision(9)
            << "{\"tokens_per_second\": " << task.tokens * task.batch / seconds
            << ", \"seconds\": " << seconds << ", \"others\": " << std::max(0.0, others) / seconds
            << ", \"load_seconds\": " << loaded - begin
            << ", \"first_token_seconds\": " << first_token - begin
            << ", \"peak_memory_bytes\": " << peak_memory() << "}" << std::endl;
  return 0;
}

int quantize(const std::string& in, const std::string& out, int type, bool weighted) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_backend_init();
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.nthread = 1;
  params.ftype = static_cast<llama_ftype>(type);
  params.allow_requantize = true;
  const float one = 1;
  const llama_model_imatrix_data data[] = {{"none", &one, 1}, {nullptr, nullptr, 0}};
  if (weighted) params.imatrix = data;
  return llama_model_quantize(in.c_str(), out.c_str(), &params) == 0 ? 0 : fail("not quantised");
}

int number(const std::string& text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int run(const std::vector<std::string>& arguments) {
  const bool full_precision = arguments.size() == 6;
  if ((full_precision || arguments.size() == 7) && arguments[0] == "logits") {
    load_backend(arguments[1], arguments[5]);
    llama_model* model = load(arguments[2]);
    return model != nullptr ? write_logits(model, arguments[3], arguments[4], full_precision)
                            : fail("no model");
  }
  if ((arguments.size() == 5 || arguments.size() == 6) && arguments[0] == "quantize")
    return quantize(arguments[2], arguments[3], number(arguments[4]), arguments.size() == 6);
  if (arguments.size() == 9 && arguments[0] == "bench") {
    const Task task = {arguments[5] == "prefill", number(arguments[6]), number(arguments[7]),
                       number(arguments[8])};
    load_backend(arguments[1], arguments[3]);
    const double begin = now(CLOCK_MONOTONIC);
    llama_model* model = load(arguments[2]);
    return model != nullptr ? bench(model, task, number(arguments[4]), begin) : fail("no model");
  }
  return fail("wrong arguments");
}

}  // namespace

int main(int argc, char** argv) {
  const int status = run(std::vector<std::string>(argv + 1, argv + argc));
  std::cout.flush();
  std::_Exit(status);  // the libraries' own tear-down order is not ours to test
}
