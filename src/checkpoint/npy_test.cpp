// .npy files: written as NumPy writes them, read strictly.
#include "checkpoint/npy.h"

#include <gtest/gtest.h>

#include "checkpoint/expect_error.h"
#include "checkpoint/test_files.h"

namespace tulou::checkpoint {
namespace {

using namespace test;

// A file with this dictionary and this many bytes of data.
std::string file(std::string dictionary, size_t data_bytes, char version = 1) {
  dictionary += '\n';
  std::string bytes = "\x93NUMPY" + std::string(1, version) + std::string(1, '\0');
  bytes += version == 1 ? raw(static_cast<uint16_t>(dictionary.size()))
                        : raw(static_cast<uint32_t>(dictionary.size()));
  return bytes + dictionary + std::string(data_bytes, '\0');
}

std::string id(const std::string& bytes) {
  GuardedBytes guarded(bytes.size());
  return outcome([&] { (void)parse_npy(guarded.hold(bytes), "a.npy"); });
}

// What numpy.save writes for numpy.arange(6, dtype=numpy.float32).reshape(2, 3).
TEST(Npy, WritesTheBytesOfNumpy) {
  const TemporaryFolder folder;
  NpyWriter writer(folder.file("a.npy"), 2, 3);
  writer.append(std::vector<float>{0, 1, 2});
  EXPECT_FALSE(base::exists(folder.file("a.npy")));
  writer.append(std::vector<float>{3, 4, 5});
  writer.commit();
  const std::string bytes = base::read_file(folder.file("a.npy"), 1000);
  std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  dictionary.append(117 - dictionary.size(), ' ');
  EXPECT_EQ(bytes.substr(0, 10), std::string_view("\x93NUMPY\1\0\x76\0", 10));
  EXPECT_EQ(bytes.substr(10, 117), dictionary);
  EXPECT_EQ(bytes[127], '\n');
  EXPECT_EQ(bytes.substr(128), f32_data(std::vector<float>{0, 1, 2, 3, 4, 5}));
  const NpyArray array = read_npy(folder.file("a.npy"));
  EXPECT_EQ(array.rows, 2u);
  EXPECT_EQ(array.cols, 3u);
  EXPECT_EQ(array.values, (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(outcome([&] { (void)read_npy(folder.file("a.npy"), 100); }), "file.too_large");
}

TEST(Npy, AbandonedFileLeavesNothing) {
  const TemporaryFolder folder;
  {
    NpyWriter writer(folder.file("a.npy"), 2, 3);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  write_npy(folder.file("b.npy"), 0, 5, {});
  EXPECT_EQ(read_npy(folder.file("b.npy")).cols, 5u);
}

TEST(Npy, ReadsVariants) {
  EXPECT_EQ(id(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24)), "");
  EXPECT_EQ(id(file("{'shape':(6,),'fortran_order':False,'descr':'<f4'}", 24)), "");
  EXPECT_EQ(id(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}   ", 24, 2)), "");
  EXPECT_EQ(id(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24, 3)), "");
}

TEST(Npy, RefusesTheRest) {
  for (const char* dictionary :
       {"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 1), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 6), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616, 6), }",
        "{'descr': '<f4', 'fortran_order': False, }", "{'descr': '<f4', 'shape': (6,), }",
        "{'fortran_order': False, 'shape': (6,), }",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), } x", "{}", "", "{'shape': (6,",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (6,), }"})
    EXPECT_EQ(id(file(dictionary, 24)), "npy.invalid") << dictionary;
  const std::string good = file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24);
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(id(good.substr(0, size)), "npy.invalid") << size;
  EXPECT_EQ(id(good + "x"), "npy.invalid");
  EXPECT_EQ(id("\x93NUMPX" + good.substr(6)), "npy.invalid");
  EXPECT_EQ(id(good.substr(0, 6) + "\4" + good.substr(7)), "npy.invalid");
}

}  // namespace
}  // namespace tulou::checkpoint
