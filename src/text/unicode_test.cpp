// The Unicode tables against the files of the Unicode Character Database, as Debian installs them.
#include "text/unicode.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <sstream>
#include <vector>

#include "base/utf8.h"
#include "text/unicode_tables.h"

namespace tulou::text {
namespace {

constexpr const char* kFolder = "/usr/share/unicode";

// The output of a command; empty if it fails.
std::string output_of(const char* command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command, "r"), pclose);
  std::string text;
  std::array<char, 65536> buffer;
  while (pipe != nullptr) {
    const size_t got = fread(buffer.data(), 1, buffer.size(), pipe.get());
    if (got == 0) break;
    text.append(buffer.data(), got);
  }
  return text;
}

// "0041 030A" -> UTF-8.
std::string from_code_points(const std::string& field) {
  std::istringstream in(field);
  std::string text;
  for (uint32_t c = 0; in >> std::hex >> c;) base::append_utf8(text, c);
  return text;
}

std::string nfc(std::string_view text, NfcVersion version = NfcVersion::kUnicode15) {
  std::string storage;
  return std::string(to_nfc(text, storage, version));
}

TEST(Unicode, PassesTheNormalizationTest) {
  if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "the package unicode-data is missing";
  const std::string all = output_of(
      "python3 -c 'import bz2,sys; sys.stdout.buffer.write(bz2.open("
      "\"/usr/share/unicode/NormalizationTest.txt.bz2\").read())'");
  std::istringstream lines(all);
  size_t num_lines = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#' || line[0] == '@') continue;
    ++num_lines;
    std::array<std::string, 5> columns;  // source, NFC, NFD, NFKC, NFKD
    std::istringstream fields(line);
    for (std::string& column : columns) {
      std::getline(fields, column, ';');
      column = from_code_points(column);
    }
    for (const size_t i : {0, 1, 2}) ASSERT_EQ(nfc(columns[i]), columns[1]) << line;
    for (const size_t i : {3, 4}) ASSERT_EQ(nfc(columns[i]), columns[3]) << line;
    // In the middle of a text, and twice in a row.
    ASSERT_EQ(nfc("ab " + columns[2] + " cd"), "ab " + columns[1] + " cd") << line;
    const std::string both = columns[0] + "." + columns[2];
    ASSERT_EQ(nfc(both), columns[1] + "." + columns[1]) << line;
  }
  EXPECT_GT(num_lines, 18000u);
}

TEST(Unicode, TextInNfcIsNotCopied) {
  std::string storage;
  for (const std::string_view text :
       {"", "plain", "caf\xC3\xA9", "\xE4\xBD\xA0\xE5\xA5\xBD", "q\xCC\x96\xCC\x85"}) {
    EXPECT_EQ(to_nfc(text, storage).data(), text.data());
  }
  EXPECT_EQ(to_nfc("e\xCC\x81", storage), "\xC3\xA9");
}

TEST(Unicode, NfcKeepsInvalidBytes) {
  EXPECT_EQ(nfc("e\xFF\xCC\x81 e\xCC\x81"), "e\xFF\xCC\x81 \xC3\xA9");
  EXPECT_EQ(nfc("e\xCC\x81\xE4\xBD"), "\xC3\xA9\xE4\xBD");
}

TEST(Unicode, NfcOfAMillionMarksIsFast) {
  std::string text = "e";
  for (int i = 0; i < 500'000; ++i) text += i % 2 ? "\xCC\x81" : "\xCC\xA7";
  const std::string result = nfc(text);
  // The letter takes one cedilla; the acute accents stand behind the other cedillas.
  EXPECT_EQ(result.substr(0, 4), "\xC8\xA9\xCC\xA7");
  EXPECT_EQ(result.size(), text.size() - 1);
}

TEST(Unicode, TheOlderNfcLeavesNewCharactersAlone) {
  // U+1DF9 (Unicode 10) has combining class 220, U+0301 has 230.
  const std::string text = "q\xCC\x81\xE1\xB7\xB9";
  EXPECT_EQ(nfc(text), "q\xE1\xB7\xB9\xCC\x81");
  EXPECT_EQ(nfc(text, NfcVersion::kUnicode9), text);
  // U+11935 + U+11930 compose since Unicode 13.
  const std::string dives = "\xF0\x91\xA4\xB5\xF0\x91\xA4\xB0";
  EXPECT_EQ(nfc(dives), "\xF0\x91\xA4\xB8");
  EXPECT_EQ(nfc(dives, NfcVersion::kUnicode9), dives);
}

TEST(Unicode, ClassesOfSomeCharacters) {
  EXPECT_TRUE(is_letter('a') && is_letter(0x2D30) && is_letter(0x4E00) && is_letter(0x0627));
  EXPECT_TRUE(is_mark(0x0301) && is_mark(0x20DD) && is_mark(0x0903));
  EXPECT_TRUE(is_number('7') && is_number(0x0663) && is_number(0x2167) && is_number(0xB2));
  EXPECT_TRUE(is_white_space(' ') && is_white_space(0x85) && is_white_space(0x3000));
  EXPECT_TRUE(is_punctuation('!') && is_symbol('+') && is_symbol(0x20AC));
  EXPECT_FALSE(is_letter('1') || is_mark('a') || is_number('a') || is_white_space(0x200B));
  EXPECT_TRUE(is_letter(0x10FFFF) == false && class_of(0x110000) == 0);
  EXPECT_TRUE(is_letter(0x1C89)) << "a letter since Unicode 16.0";
}

TEST(Unicode, ColumnWidths) {
  EXPECT_EQ(column_width('a'), 1);
  EXPECT_EQ(column_width(0x4E00), 2);
  EXPECT_EQ(column_width(0x1F600), 2);
  EXPECT_EQ(column_width(0x0301), 0);
  EXPECT_EQ(column_width(0x200D), 0);
  EXPECT_EQ(column_width('\n'), 0);
  EXPECT_EQ(column_width(0x11A8), 0);
  EXPECT_EQ(column_width(0xAD), 1);
}

// Expected values are those of Python's str methods.
TEST(UnicodeCase, MapsAsPythonDoes) {
  EXPECT_EQ(to_upper("stra\xC3\x9F"
                     "e \xEF\xAC\x83"),
            "STRASSE FFI");
  EXPECT_EQ(to_lower("\xC4\xB0X"), "i\xCC\x87x");  // I with dot above
  // ODYSSEUS in Greek: the last sigma of a word has its own form.
  EXPECT_EQ(to_lower("\xCE\x9F\xCE\xA3 \xCE\xA3\xCE\xA3'\xCE\xA3"),
            "\xCE\xBF\xCF\x82 \xCF\x83\xCF\x83'\xCF\x82");
  EXPECT_EQ(to_title("hello wORLD, it's \xC7\x86"
                     "ep"),
            "Hello World, It'S \xC7\x85"
            "ep");
  EXPECT_EQ(to_capitalized("\xC3\xA9T\xC3\x89 ABC"), "\xC3\x89t\xC3\xA9 abc");
  EXPECT_EQ(to_upper("a\xFF"
                     "b"),
            "A\xFF"
            "B");
  EXPECT_EQ(to_lower(""), "");
}

TEST(UnicodeTables, AreWhatTheGeneratorWrites) {
  if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "the package unicode-data is missing";
  EXPECT_EQ(output_of("python3 tools/unicode_tables.py --check && echo same"), "same\n");
}

}  // namespace
}  // namespace tulou::text
