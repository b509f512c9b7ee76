"""As much C++ as the tidy rules need: text without comments and strings; where functions are."""

import re

RAW_STRING = re.compile(r'R"([^()\\ ]{0,16})\(')
DIGIT_SEPARATOR = re.compile(r"[0-9a-fA-F]'[0-9a-fA-F]")


def _end_of_literal(text, start):
    """The index after the string or character literal that opens at `start`."""
    quote = text[start]
    i = start + 1
    while i < len(text) and text[i] != quote and text[i] != "\n":
        i += 2 if text[i] == "\\" else 1
    return min(i + 1, len(text))


def _blank(piece):
    return "".join("\n" if c == "\n" else " " for c in piece)


def blanked(text, keep_strings=False):
    """The text with comments (and, unless kept, the inside of literals) as spaces; lines stay."""
    out = []
    i = 0
    while i < len(text):
        if text.startswith("//", i):
            end = text.find("\n", i)
            end = len(text) if end < 0 else end
            out.append(_blank(text[i:end]))
        elif text.startswith("/*", i):
            end = text.find("*/", i + 2)
            end = len(text) if end < 0 else end + 2
            out.append(_blank(text[i:end]))
        elif text[i] == "R" and RAW_STRING.match(text, i):
            tag = RAW_STRING.match(text, i)
            end = text.find(")" + tag.group(1) + '"', tag.end())
            end = len(text) if end < 0 else end + len(tag.group(1)) + 2
            piece = text[i:end]
            out.append(piece if keep_strings else '""' + _blank(piece[2:]))
        elif text[i] == "'" and i > 0 and DIGIT_SEPARATOR.match(text, i - 1):
            end = i + 1
            out.append("'")
        elif text[i] in "\"'":
            end = _end_of_literal(text, i)
            piece = text[i:end]
            out.append(piece if keep_strings else piece[0] + _blank(piece[1:-1]) + piece[-1])
        else:
            end = i + 1
            out.append(text[i])
        i = end
    return "".join(out)


def without_preprocessor(code):
    """Blanked code with the lines of directives (and what continues them) emptied too."""
    lines = []
    inside = False
    for line in code.split("\n"):
        directive = inside or line.lstrip().startswith("#")
        inside = directive and line.rstrip().endswith("\\")
        lines.append("" if directive else line)
    return "\n".join(lines)


def _without_nesting(header):
    """The header with everything inside () [] <> taken out, to see what stands at its top level."""
    for pattern, mark in ((r"\([^()]*\)", "\1"), (r"\[[^\[\]]*\]", ""), (r"<[^<>]*>", "")):
        previous = None
        while previous != header:
            previous = header
            header = re.sub(pattern, mark, header)
    return header.replace("\1", "()")


def _kind_of_block(header):
    """What a brace after this text opens: "scope", "function", "member" (initialiser), "other"."""
    top = _without_nesting(header).strip()
    if re.search(r"\)\s*:(?!:)", top) and re.search(r"[\w>]$", header.rstrip()):
        if not re.search(r"\b(const|noexcept|override|final|try)$", header.rstrip()):
            return "member"
    if re.search(r"\b(namespace|class|struct|union|enum)\b", top) and not top.endswith(")"):
        return "scope"
    if re.search(r'\bextern\s+"', header):
        return "scope"
    if "=" in top.replace("operator==", "").replace("operator=", "") and "](" not in header:
        return "other"
    if ")" in header:
        return "function"
    return "other"


class Function:
    """A function with a body: the first line of its header, the brace's and the last (from 1)."""

    def __init__(self, name, header_line, first_line, last_line):
        self.name = name
        self.header_line = header_line
        self.first_line = first_line
        self.last_line = last_line

    @property
    def length(self):
        return self.last_line - self.first_line + 1


def _name_of(header):
    match = re.search(r"([\w:~]+|operator[^\s(]+)\s*\(", header)
    return match.group(1) if match else "?"


def functions(text):
    """All function bodies of a source that are not inside another one."""
    code = without_preprocessor(blanked(text))
    found = []
    stack = []  # kinds of the open braces
    header_start = 0
    open_function = None
    line = 1
    for i, c in enumerate(code):
        if c == "\n":
            line += 1
        in_function = open_function is not None
        if c == "{":
            header = code[header_start:i]
            kind = "inner" if in_function or "other" in stack else _kind_of_block(header)
            stack.append(kind)
            if kind == "function":
                skipped = len(header) - len(header.lstrip())
                open_function = (len(stack), _name_of(header),
                                 1 + code.count("\n", 0, header_start + skipped), line)
            if kind in ("scope", "function"):
                header_start = i + 1
        elif c == "}":
            if open_function and open_function[0] == len(stack):
                found.append(Function(open_function[1], open_function[2], open_function[3], line))
                open_function = None
            kind = stack.pop() if stack else "other"
            if kind != "member" and not (kind == "inner"):
                header_start = i + 1
        elif c == ";" and not in_function:
            header_start = i + 1
    return found


def split_arguments(code, start):
    """The arguments of the call whose "(" or "{" is at `start`, as ranges; None if not closed."""
    depth = 0
    begin = start + 1
    ranges = []
    for i in range(start, len(code)):
        if code[i] in "([{":
            depth += 1
        elif code[i] in ")]}":
            depth -= 1
            if depth == 0:
                if code[begin:i].strip():
                    ranges.append((begin, i))
                return ranges
        elif code[i] == "," and depth == 1:
            ranges.append((begin, i))
            begin = i + 1
    return None
