"""Lines of text for comparing tokenizers: many languages, code, emoji, odd Unicode, special tokens.

lines() gives the same lines every time on one machine; where Debian's translations are installed
(/usr/share/locale), it adds real sentences from them. Imported by compare.py.
"""
import gettext
import glob
import os
import random
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
MIN_LINES = 20_000
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\r", "\u00a0", "\u3000", "\u2009",
          "\u0085", "\u2028", "\x0b", "\x0c", "\u1680", "\u200b", "\ufeff", "\x1c", "\u180e", " \n",
          "\n ", " \t\n  \n\t", "\r\r\n\n"]
MARKS = ["\u0300", "\u0301", "\u0308", "\u0327", "\u0323", "\u0338", "\u0345", "\u0653", "\u064b",
         "\u0651", "\u05bc", "\u093c", "\u094d", "\u3099", "\u309a", "\u0e38", "\u1161", "\u11a8",
         "\u20d0", "\ufe0f", "\u200d", "\u0897", "\u1df6", "\u0c3c", "\U00011938", "\U00011930"]
CONTRACTIONS = ["s", "t", "re", "ve", "m", "ll", "d", "\u017f", "x", "l", "r", "v", "\u1efb",
                "\ufb06", "n", "em", "\u00e9", "S\u0327", "s\u0301", "T", "RE", "rE", "Ve", "M",
                "LL", "lL", "D"]
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>",
           "</tool_call>", "<|vision_start|>", "<|image_pad|>", "<|fim_prefix|>", "<tts_pad>",
           "<tts_text_bos>", "<tts_text_bos_single>", "<repo_name>", "<jupyter_start>",
           "<|audio_pad|>", "<tool_response>"]
LOOK_ALIKES = ["<|im_start|", "|im_end|>", "<|im_end |>", "<|IM_END|>", "<|im_<|im_end|>end|>",
               "<|im_end|>>", "<<|im_end|>", "<think", "think>", "</think", "<\u200bthink>", "<|",
               "|>", "<|endoftext|", "<|im_end|>\u0338", "\u0338<|im_end|>", "<tts_text_bos"]


def phrases():
    with open(os.path.join(HERE, "phrases.txt"), encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t") for line in file]
    unescape = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}
    for language, text in pairs:
        for written, meant in unescape.items():
            text = text.replace(written, meant) if language == "code" else text
        yield language, text


def from_translations(limit):
    """Messages of the programs that are installed, in a few languages."""
    for language in ("ar", "fr", "zh_CN", "zh_TW", "kab", "zgh", "ber", "hi", "ja", "ko", "th"):
        found = []
        for path in sorted(glob.glob(f"/usr/share/locale/{language}/LC_MESSAGES/*.mo")):
            try:
                with open(path, "rb") as file:
                    catalogue = gettext.GNUTranslations(file)._catalog
            except (OSError, UnicodeDecodeError, ValueError):
                continue
            found += [text for key, text in sorted(catalogue.items(), key=str) if key and text]
        step = max(1, len(found) // limit)
        yield from found[::step][:limit]


def from_sources(limit):
    """Code and English: the C++ and Python files of this repository."""
    top = os.path.dirname(os.path.dirname(HERE))
    lines = []
    paths = glob.glob(top + "/src/*/*.cpp") + glob.glob(top + "/t*/**/*.py", recursive=True)
    for path in sorted(paths):
        if os.path.basename(path) != "unicode_tables.cpp":
            with open(path, encoding="utf-8") as file:
                text = file.read()
            lines += [text[:4000]] + [line for line in text.split("\n") if line.strip()]
    yield from lines[::max(1, len(lines) // limit)][:limit]


def every_character():
    """Each character that may be assigned, alone and beside letters, spaces, digits and marks."""
    code_points = [*range(0x0, 0xD800), *range(0xE000, 0x20000), *range(0x20000, 0x40000, 7),
                   *range(0x40000, 0xE0000, 997), *range(0xE0000, 0xE0200),
                   *range(0xE0200, 0x110000, 499), *range(0x2EBE0, 0x2EE70),
                   *range(0x323A0, 0x323C0)]
    templates = ("a{0}b {0} {0}", "{0}{0}\n{0}a", "1{0}1'{0} ", "e{0}\u0301{0}\u0327",
                 "\u0315{0}\u0334")
    for start in range(0, len(code_points), 64):
        chunk = code_points[start:start + 64]
        template = templates[start // 64 % len(templates)]
        yield "".join(template.format(chr(c)) for c in chunk)
    # The other templates; of the thousands of ideographs and syllables that are all alike, a few.
    alike = (range(0x3500, 0x9F00), range(0xAD00, 0xD700), range(0x17100, 0x18C00))
    chosen = [c for c in code_points[:0x20000 - 0x800] if not any(c in r for r in alike)]
    for start in range(0, len(chosen), 64):
        chunk = chosen[start:start + 64]
        yield "".join(template.format(chr(c)) for c in chunk for template in templates)


def random_character(rng):
    kind = rng.randrange(12)
    if kind < 3:
        return chr(rng.randrange(0x20, 0x7F))
    if kind == 3:
        return rng.choice(SPACES)
    if kind == 4:
        return rng.choice(MARKS)
    if kind == 5:
        return rng.choice("0123456789\u0663\u06f5\u0967\uff15\u00b2\u2167\u3007\U0001d7d8")
    if kind == 6:
        return chr(rng.randrange(0xAC00, 0xD7A4)) if rng.random() < 0.5 else chr(
            rng.choice([rng.randrange(0x1100, 0x1113), rng.randrange(0x1161, 0x1176),
                        rng.randrange(0x11A7, 0x11C3)]))
    if kind == 7:
        return chr(rng.choice([rng.randrange(0xF900, 0xFB00), rng.randrange(0x2F800, 0x2FA20),
                               rng.randrange(0x1F300, 0x1FB00), rng.randrange(0x2100, 0x2400)]))
    if kind == 8:
        return "'" + rng.choice(CONTRACTIONS)
    while True:
        limit = rng.choice([0x500, 0x3000, 0x10000, 0x20000, 0x110000])
        c = rng.randrange(limit)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def mixtures(rng, sentences, count):
    """Sentences cut, joined, re-cased, decomposed, sprinkled with spaces, marks and tokens."""
    change = [str.upper, str.lower, str.title, str.swapcase,
              lambda s: unicodedata.normalize("NFD", s), lambda s: unicodedata.normalize("NFKD", s),
              lambda s: unicodedata.normalize("NFC", s), lambda s: s[::-1],
              lambda s: s, lambda s: s]
    for _ in range(count):
        parts = []
        for _ in range(rng.randrange(1, 5)):
            text = rng.choice(change)(rng.choice(sentences))
            start = rng.randrange(len(text) + 1) if rng.random() < 0.5 else 0
            parts.append(text[start:start + rng.randrange(1, 200)])
            parts.append(rng.choice(SPACES) if rng.random() < 0.7 else "")
            if rng.random() < 0.15:
                parts.append(rng.choice(SPECIAL + LOOK_ALIKES))
            if rng.random() < 0.1:
                parts.append(rng.choice(MARKS) * rng.randrange(1, 4))
        yield "".join(parts)


def edge_cases():
    yield from ["", " ", "\n", "a", "'", "''", "'s", " 's", "'S", "'\u017f", "'\u017ft"]
    for suffix in CONTRACTIONS:
        yield from (f"it'{suffix}", f"'{suffix}'{suffix} '{suffix}", f"x\u2019{suffix}",
                    f"9'{suffix}a")
    for first in SPACES:
        for second in SPACES:
            yield from (first + second, f"a{first}{second}b", f"a{first}{second}!",
                        f"1{first}{second}2",
                        f"{first}{second}<|im_end|>{second}{first}a")
    for one in SPECIAL + LOOK_ALIKES:
        yield from (one, f"a{one}b", f" {one} ", f"{one}{one}", f"{one}\n", f"'{one}s", one[:-1],
                    one[1:])
        for other in SPECIAL + LOOK_ALIKES:
            yield from (one + other, one[:len(one) // 2] + other + one[len(one) // 2:])
    for length in (25, 47, 48, 49, 63, 64, 65, 200, 1000, 5000):
        for text in ("a", " ", "\n", "ab", "9", "=", "-", "\u0301", "\u00e9", "\U0001f600",
                     "\u4f60", "aA", "\t", " \n", "the", "\u0b95\u0bbe"):
            yield text * length


def lines(seed=1):
    rng = random.Random(seed)
    sentences = [text for _, text in phrases()]
    result = [*sentences, *edge_cases(), *every_character(), *from_sources(4000)]
    translated = list(from_translations(600))
    result += translated
    result += mixtures(rng, sentences, 6000)
    result += mixtures(rng, sentences + translated, 2000)
    for _ in range(6000):
        result.append("".join(random_character(rng) for _ in range(rng.randrange(1, 60))))
    for _ in range(500):  # long words that are merged otherwise than short ones
        alphabet = rng.choice(["ab", "aeiou", "\u0627\u0644\u0645", "\u2d30\u2d63\u2d4d",
                               "\u00e9e\u0301", "etaoinshr"])
        result.append("".join(rng.choice(alphabet) for _ in range(rng.randrange(30, 400))))
    assert len(result) >= MIN_LINES, len(result)
    return result
