#!/usr/bin/env python3
"""Writes src/text/unicode_tables.cpp from Debian's unicode-data (/usr/share/unicode, Unicode 15.0).

usage: tools/unicode_tables.py [--check] [--source FOLDER]
--check: writes nothing; fails if the file in the tree is not what would be written.

Letters, marks and numbers are those of Unicode 16.0, which Hugging Face tokenizers' regular
expressions use (its Oniguruma); the code points that came after 15.0 are listed below. Everything
else is Unicode 15.0. Python's standard library only; the same input gives the same file.
"""
import argparse
import os
import sys

OUTPUT = os.path.join(os.path.dirname(__file__), "..", "src", "text", "unicode_tables.cpp")
NUM_CODE_POINTS = 0x110000
BLOCK = 128

# Bits of a class value; the same names stand in unicode_tables.h.
LETTER, MARK, NUMBER, WHITE_SPACE, PUNCTUATION, SYMBOL, WIDE, ZERO_WIDTH = (
    1 << i for i in range(8))
NFC_UNSAFE, NFC_NOT_YES, AFTER_UNICODE_9, CASED, CASE_IGNORABLE, SPLIT_DIGIT = (
    1 << i for i in range(8, 14))

# Assigned in Unicode 15.1 and 16.0.
NEW_LETTERS = """1C89-1C8A A7CB-A7CD A7DA-A7DC 105C0-105F3 10D4A-10D65 10D6F-10D85 10EC2-10EC4
11380-11389 1138B 1138E 11390-113B5 113B7 113D1 113D3 11BC0-11BE0 13460-143FA 16100-1611D
16D40-16D6C 18CFF 1E5D0-1E5ED 1E5F0 2EBF0-2EE5D"""
NEW_MARKS = """897 10D69-10D6D 10EFC 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 113D2
113E1-113E2 11F5A 1611E-1612F 1E5EE-1E5EF"""
NEW_NUMBERS = """10D40-10D49 116D0-116E3 11BF0-11BF9 16130-16139 16D70-16D79 1CCF0-1CCF9
1E5F1-1E5FA"""
# Numbers of Unicode 17.0: Hugging Face's Digits splitter asks Rust's standard library, not
# Oniguruma, and is a version ahead.
NEW_SPLIT_DIGITS = "11DE0-11DE9 16FF4-16FF6"


def code_points(text):
    for item in text.split():
        first, _, last = item.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


def lines(folder, name):
    """The fields of each line of a UCD file, with "FIRST..LAST" in the first."""
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line:
                yield [field.strip() for field in line.split(";")]


def in_range(field):
    first, _, last = field.partition("..")
    return range(int(first, 16), int(last or first, 16) + 1)


class Database:
    def __init__(self, folder):
        self.category = ["Cn"] * NUM_CODE_POINTS
        self.combining = [0] * NUM_CODE_POINTS
        self.decomposition = {}
        self.case = {}
        first = None
        for fields in lines(folder, "UnicodeData.txt"):
            code = int(fields[0], 16)
            if fields[1].endswith("First>"):
                first = code
                continue
            for c in range(first if fields[1].endswith("Last>") else code, code + 1):
                self.category[c] = fields[2]
                self.combining[c] = int(fields[3])
            if fields[5] and not fields[5].startswith("<"):
                self.decomposition[code] = [int(x, 16) for x in fields[5].split()]
            upper, lower, title = (int(x, 16) if x else None for x in fields[12:15])
            self.case[code] = (lower or code, upper or code, title or upper or code)
        self.white_space = self.property(folder, "PropList.txt", "White_Space")
        self.cased = self.property(folder, "DerivedCoreProperties.txt", "Cased")
        self.case_ignorable = self.property(folder, "DerivedCoreProperties.txt", "Case_Ignorable")
        self.excluded = self.property(folder, "DerivedNormalizationProps.txt",
                                      "Full_Composition_Exclusion")
        self.nfc_not_yes = self.property(folder, "DerivedNormalizationProps.txt", "NFC_QC")
        self.after_9 = {c for fields in lines(folder, "DerivedAge.txt")
                        if float(fields[1]) > 9 for c in in_range(fields[0])}
        self.wide = {c for fields in lines(folder, "EastAsianWidth.txt")
                     if fields[1] in "WF" for c in in_range(fields[0])}
        self.special_case = {}
        for fields in lines(folder, "SpecialCasing.txt"):
            if len(fields) == 5 and not fields[4]:
                lower, title, upper = ([int(x, 16) for x in f.split()] for f in fields[1:4])
                self.special_case[int(fields[0], 16)] = (lower, upper, title)

    @staticmethod
    def property(folder, name, wanted):
        return {c for fields in lines(folder, name) if fields[1] == wanted
                for c in in_range(fields[0])}

    def full_decomposition(self, code):
        if code not in self.decomposition:
            return [code]
        return [x for part in self.decomposition[code] for x in self.full_decomposition(part)]


def class_values(db):
    values = []
    groups = {"L": LETTER, "M": MARK, "N": NUMBER, "P": PUNCTUATION, "S": SYMBOL}
    for c in range(NUM_CODE_POINTS):
        category = db.category[c]
        value = groups.get(category[0], 0)
        value |= SPLIT_DIGIT * (category[0] == "N")
        value |= ZERO_WIDTH * (category in ("Mn", "Me", "Cf") and c != 0xAD)
        value |= NFC_UNSAFE * (c in db.nfc_not_yes or db.combining[c] != 0)
        for bit, members in ((WHITE_SPACE, db.white_space), (WIDE, db.wide), (CASED, db.cased),
                             (NFC_NOT_YES, db.nfc_not_yes), (AFTER_UNICODE_9, db.after_9),
                             (CASE_IGNORABLE, db.case_ignorable)):
            value |= bit * (c in members)
        values.append(value)
    for bits, text in ((LETTER, NEW_LETTERS), (MARK, NEW_MARKS),
                       (NUMBER | SPLIT_DIGIT, NEW_NUMBERS), (SPLIT_DIGIT, NEW_SPLIT_DIGITS)):
        for c in code_points(text):
            assert db.category[c] == "Cn", hex(c)
            values[c] |= bits
    return values


def wrapped(items):
    line, out = " ", []
    for item in items:
        if len(line) + len(item) + 2 > 100:
            out.append(line)
            line = " "
        line += f" {item},"
    return "\n".join(out + [line])


def array(ctype, name, items):
    return f"const {ctype} {name}[{len(items)}] = {{\n{wrapped(items)}\n}};\n"


def two_level(ctype, name, values):
    """Two arrays: NAMEBlocks[code point / BLOCK] is the number of a run of BLOCK values."""
    blocks, numbers = {}, []
    for start in range(0, NUM_CODE_POINTS, BLOCK):
        numbers.append(blocks.setdefault(tuple(values[start:start + BLOCK]), len(blocks)))
    flat = [str(value) for block in blocks for value in block]
    return (array("uint16_t", name + "Blocks", [str(n) for n in numbers]) +
            array(ctype, name + "Values", flat))


def normalization(db):
    records, flat, values = {(0, 0, 0): 0}, [], []
    for c in range(NUM_CODE_POINTS):
        parts = db.full_decomposition(c) if c in db.decomposition else []
        key = (db.combining[c], len(parts), len(flat) if parts else 0)
        flat += parts
        values.append(records.setdefault(key, len(records)))
    out = two_level("uint16_t", "kNormal", values)
    out += array("NormalRecord", "kNormalRecords", [f"{{{a}, {b}, {c}}}" for a, b, c in records])
    return out + array("uint32_t", "kDecompositions", [hex(c) for c in flat])


def compositions(db):
    """A hash table with linear probing; unicode.cpp computes the same hash."""
    size, slots = 2048, [(0, 0, 0)] * 2048
    for code, parts in sorted(db.decomposition.items()):
        if len(parts) != 2 or code in db.excluded:
            continue
        at = ((parts[0] * 0x9E3779B1 + parts[1] * 0x85EBCA6B) & 0xFFFFFFFF) >> 21
        while slots[at][0]:
            at = (at + 1) % size
        slots[at] = (parts[0], parts[1], code)
    items = [f"{{{a:#x}, {b:#x}, {c:#x}}}" for a, b, c in slots]
    return array("Composition", "kCompositions", items)


def cases(db):
    records, special, values = {(0, 0, 0, 0): 0}, [], []
    for c in range(NUM_CODE_POINTS):
        lower, upper, title = db.case.get(c, (c, c, c))
        number = 0
        if c in db.special_case:
            special.append(db.special_case[c])
            number = len(special)
        key = (lower - c, upper - c, title - c, number)
        values.append(records.setdefault(key, len(records)))
    pad = lambda items: "{" + ", ".join(hex(x) for x in items + [0] * (3 - len(items))) + "}"
    out = two_level("uint16_t", "kCase", values)
    out += array("CaseRecord", "kCaseRecords", ["{%d, %d, %d, %d}" % key for key in records])
    return out + array("SpecialCase", "kSpecialCases",
                       ["{" + ", ".join(pad(x) for x in entry) + "}" for entry in special])


def render(folder):
    db = Database(folder)
    return ("// Generated by tools/unicode_tables.py from the Unicode Character Database 15.0.0\n"
            "// (letters, marks and numbers: 16.0). Do not edit; layout: unicode_tables.h.\n"
            '#include "text/unicode_tables.h"\n\n// clang-format off\n'
            "namespace tulou::text::tables {\n\n" +
            two_level("uint16_t", "kClass", class_values(db)) + normalization(db) +
            compositions(db) + cases(db) + "\n}  // namespace tulou::text::tables\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--source", default="/usr/share/unicode")
    arguments = parser.parse_args()
    text = render(arguments.source)
    if arguments.check:
        with open(OUTPUT, encoding="ascii") as file:
            if file.read() != text:
                sys.exit("src/text/unicode_tables.cpp is not what tools/unicode_tables.py writes")
        return
    with open(OUTPUT, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main()
