// Does the time of a look-up tell anything about the keys? After dudect (Reparaz, Balasch,
// Verbauwhede: "Dude, is my code constant time?", 2017): two classes of inputs in random order,
// Welch's t of their times. As there, the slowest measurements, which are interruptions, are left
// out.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/number.h"
#include "base/rng.h"
#include "base/secret.h"
#include "serve/api_keys.h"

namespace tulou::serve {
namespace {

constexpr size_t kKeys = 32;
constexpr size_t kBatch = 4096;  // inputs that are made before they are measured

std::string random_key() {
  std::array<uint8_t, 32> secret;
  base::random_bytes(secret);
  return "tulou-" + base::hex_text(secret);
}

// A set with the given keys.
KeySet set_of(const std::vector<std::string>& keys) {
  std::string list;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string n = base::to_text(i);
    list.append(i == 0 ? "" : ",").append(R"({"id":"key-)").append(n);
    list.append(R"(","name":"n)").append(n).append(R"(","created":0,"sha256":")");
    list.append(base::hex_text(base::sha256(keys[i]))).append("\"}");
  }
  return KeySet::parse(R"({"version":1,"keys":[)" + list + "]}", "keys");
}

// Welch's t of two classes without what is slower than 95 % of all.
double welch_t(const std::vector<double> (&times)[2]) {
  std::vector<double> all = times[0];
  all.insert(all.end(), times[1].begin(), times[1].end());
  const auto at = all.begin() + static_cast<std::ptrdiff_t>(all.size() * 95 / 100);
  std::nth_element(all.begin(), at, all.end());
  double mean[2], error[2];
  for (int c = 0; c < 2; ++c) {
    double sum = 0, squares = 0, count = 0;
    for (const double time : times[c]) {
      if (time > *at) continue;
      count += 1;
      const double before = time - sum;
      sum += before / count;  // the mean so far
      squares += before * (time - sum);
    }
    mean[c] = sum;
    error[c] = squares / (count - 1) / count;
  }
  return (mean[0] - mean[1]) / std::sqrt(error[0] + error[1]);
}

// The t of `look_up` with `fixed` against `other`, or against random keys if that is empty.
template <typename LookUp>
double measure(size_t count, const std::string& fixed, const std::string& other, LookUp look_up) {
  std::vector<double> times[2];
  std::vector<std::string> inputs(kBatch);
  std::vector<size_t> classes(kBatch);
  for (size_t done = 0; done < count; done += kBatch) {
    for (size_t i = 0; i < kBatch; ++i) {
      classes[i] = base::random_uniform(1, 0, done + i) < 0.5 ? 0 : 1;
      inputs[i] = random_key();
      if (classes[i] == 0) inputs[i].assign(fixed);
      if (classes[i] == 1 && !other.empty()) inputs[i].assign(other);
    }
    for (size_t i = 0; i < kBatch; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      look_up(inputs[i]);
      const auto end = std::chrono::steady_clock::now();
      times[classes[i]].push_back(std::chrono::duration<double, std::nano>(end - begin).count());
    }
  }
  return welch_t(times);
}

// TULOU_TEST_KEY_TIMES: how many measurements; a campaign takes 2,000,000 and looks at the figures.
// Times decide nothing here, what is found does.
TEST(ApiKeysTime, TellsNothingOfTheKeys) {
  const char* wanted = std::getenv("TULOU_TEST_KEY_TIMES");
  const size_t count = wanted == nullptr ? 2 * kBatch : base::parse_uint(wanted).value();
  std::vector<std::string> keys;
  for (size_t i = 0; i < kKeys; ++i) keys.push_back(random_key());
  const KeySet set = set_of(keys);
  const auto almost = [](std::string key) {
    key.back() = key.back() == '0' ? '1' : '0';
    return key;
  };
  const std::string& first = keys.front();
  const std::string& last = keys.back();
  size_t found = 0;
  const auto look_up = [&](const std::string& key) { found += set.find(key) != nullptr ? 1 : 0; };
  const auto record = [&](const char* name, double t) {
    RecordProperty(name, base::fixed(t, 2));
    EXPECT_FALSE(std::isnan(t)) << name;
  };
  record("almost_first", measure(count, almost(first), "", look_up));
  record("almost_last", measure(count, almost(last), "", look_up));
  EXPECT_EQ(found, 0u);
  record("which", measure(count, first, last, look_up));
  EXPECT_GE(found, count);
  // Whether a key is right, the answer says anyway.
  record("right", measure(count, first, "", look_up));
  // What is to be seen if a look-up does tell: it ends at the first byte that differs.
  const auto leaky = [&](const std::string& key) {
    for (const std::string& one : keys) {
      volatile size_t same = 0;
      while (same < one.size() && same < key.size() && one[same] == key[same]) same = same + 1;
      if (same == one.size()) ++found;
    }
  };
  record("control", measure(count, almost(first), "", leaky));
}

}  // namespace
}  // namespace tulou::serve
