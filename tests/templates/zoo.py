"""Small templates, one construct each: (template, context name). What is expected comes from the oracle."""

CONTEXTS = {
    "plain": {
        "messages": [
            {"role": "system", "content": "  Be brief.\n"},
            {"role": "user", "content": "H\u00e9llo <|im_end|> w\u00f6rld"},
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
            {"role": "tool", "content": "ok"},
        ],
        "tools": [{"type": "function", "function": {"name": "get", "description": "d\u00e9", "parameters": {}}}],
        "add_generation_prompt": True,
        "s": "Hello, World",
        "u": "\u0645\u0631\u062d\u0628\u0627 \u2d30\u2d63\u2d53\u2d4d \u4f60\u597d \U0001f600",
        "ws": " \t\n  a b\u3000c \u00a0\n ",
        "empty": "",
        "n": 7,
        "neg": -3,
        "f": 2.5,
        "big": 9007199254740993,
        "t": True,
        "fa": False,
        "no": None,
        "l": [3, 1, 2],
        "ls": ["b", "a", "C", "a"],
        "nested": [[1, [2, 3]], {"k": ["v", None, True, 1.5]}],
        "d": {"b": 1, "a": 2, "C": 3},
        "objs": [{"name": "x", "v": 2}, {"name": "y", "v": 1}, {"name": "X", "v": 2}, {"v": 5}],
        "items": "shadow",
        "text": "line one\n\n  line two\r\nline three\x0bfour",
        "q": "it's \"quoted\" \\ \x01 \x7f \u00e9 \u200b \u2028",
        "html": "<a href=\"x\">'&'</a>",
        "bos_token": "<s>",
    }
}

OUTPUTS = """
1 + 2
7 // 2
-7 // 2
7 % 3
-7 % 3
7 % -3
7 / 2
6 / 2
2 ** 10
2 ** -1
2 ** 0.5
-2 ** 2
2 ** 3 ** 2
1.5 + 1
7.5 // 2
-7.5 // 2
7.5 % 2
-7.5 % 2
0.1 + 0.2
1e3
1e16
1e15
1.0e-5
123456789.123456789
1e22
5e-324
1.7976931348623157e308
-0.0
1/3
100 * 1.1
True + True
true
false
none
True
None
1_000
0x1F
0b101
0o17
1.5e3
"a" "b"
'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1, 'x']
"a" + "b"
"ab" * 3
3 * "ab"
"ab" * 0
"ab" * -1
[1, 2] + [3]
[1] * 3
(1, 2) + (3,)
"x%sy%d" % ("a", 5)
"%s" % "a"
"%s %s" % ("a", none)
"%05.2f|%-5d|%5s|%+d|%x|%X|%o|%e|%g|%%" % (3.14159, 42, "ab", 7, 255, 255, 8, 12345.678, 0.0001)
"%(a)s-%(b)d" % {"a": 1, "b": 2}
"%r" % "it's"
"%c" % 65
"%s" % [1]
"%s" % {}
"%d" % 3.9
"%i" % true
"%s"
"%" % 1
"%s %s" % "a"
"%s" % (1, 2)
not true
not 0
1 < 2
1 < 2 < 3
1 < 3 < 2
3 > 2 >= 2
1 == 1.0
1 == true
"a" == "a"
"a" < "b"
"a" < "B"
[1, 2] == [1, 2]
[1, 2] < [1, 3]
(1, 2) == [1, 2]
{"a": 1} == {"a": 1.0}
none == none
none == false
"a" != 1
1 < "a"
none < 1
1 in [1, 2]
"a" in "abc"
"d" not in "abc"
"a" in d
"z" in d
1 not in l
1 in "abc"
undefined_x in [1]
1 in undefined_x
1 in none
l[0]
l[-1]
l[5]
l["a"]
l[1:]
l[:-1]
l[::-1]
l[::2]
l[5:]
l[-2:]
l[1:2]
l[:]
l[none:2]
l[true]
l[1.0]
s[0]
s[-1]
s[1:4]
s[::-1]
u[0]
u[-1]
u[2:6]
u[::-1]
u[::2]
s[100]
s[5:2]
d["a"]
d["zz"]
d.a
d.zz
d.zz is defined
d.items
d["items"]
d[1]
n[0]
n.foo
none.foo
none[0]
undefined_x
undefined_x.y
undefined_x["y"]
undefined_x + 1
undefined_x ~ "a"
undefined_x == undefined_y
undefined_x is defined
undefined_x is undefined
undefined_x|length
undefined_x|list
undefined_x|default("d")
undefined_x|upper
undefined_x|tojson
undefined_x|int
undefined_x()
-undefined_x
not undefined_x
undefined_x or "b"
undefined_x and "b"
undefined_x if true
"a" if false
"a" if false else "b"
"a" if true else "b" if false else "c"
"a" if false else "b" if false else "c"
1 or 2
0 or ""
1 and 2
0 and 2
n is odd
n is even
n is divisibleby 7
n is divisibleby(3)
n is number
n is integer
f is float
n is float
t is integer
t is number
t is boolean
n is boolean
t is true
fa is false
t is false
1 is true
no is none
n is none
s is string
n is string
l is string
l is iterable
s is iterable
n is iterable
d is iterable
d is mapping
l is mapping
l is sequence
d is sequence
s is sequence
n is sequence
undefined_x is sequence
range(3) is sequence
d.items() is sequence
l|map("string") is sequence
l|map("string") is iterable
n is callable
range is callable
s is lower
"abc" is lower
"ABC" is upper
"AbC" is upper
"" is lower
"\u00e9" is lower
n is eq 7
n is equalto(7)
n is ne 7
n is gt 5
n is ge 7
n is lt 5
n is le 7
n is lessthan 8
n is greaterthan 8
n is == 7
3 is in l
3 is in [1, 2]
n is not none
n is not defined
n is sameas n
t is sameas true
no is sameas none
"upper" is filter
"nofilter" is filter
"odd" is test
s is escaped
s|e is escaped
s is nosuchtest
"a" is in "abc"
n is divisibleby 0
s is odd
-1 is odd
[] is true
s|upper
s|lower
s|title
s|capitalize
s|length
u|length
l|length
d|length
n|length
l|count
s|first
s|last
u|first
u|last
l|first
l|last
d|first
d|last
[]|first
[]|last
""|first
n|first
s|list
u|list
d|list
n|list
ws|trim
"xxaxx"|trim("x")
"abcab"|trim("ab")
n|trim
s|replace("l", "L")
s|replace("l", "L", 1)
s|replace("", "-")
"aaa"|replace("a", "b", 2)
n|replace(7, 8)
l|join
l|join(", ")
ls|join(",")
objs|join(",", attribute="v")
objs|join(",", "name")
s|join("-")
[1, none, true, 2.5]|join(" ")
n|join
s|default("x")
""|default("x")
""|default("x", true)
none|default("x")
none|default("x", true)
none|d("x", boolean=true)
undefined_x|d
l|sort
l|sort(reverse=true)
l|sort(true)
ls|sort
ls|sort(case_sensitive=true)
objs[:3]|sort(attribute="name")
objs|sort(attribute="v")
objs[:3]|sort(attribute="v,name")
[1, "a"]|sort
d|sort
s|sort
none|sort
[[2, 1], [1, 5]]|sort
[none, none]|sort
l|reverse|list
s|reverse
u|reverse
d|reverse|list
l|reverse
range(4)|reverse|list
l|sum
[1.5, 2]|sum
[]|sum
objs|sum("v")
objs|sum(attribute="v", start=10)
ls|sum
l|min
l|max
ls|min
ls|max
[]|min
ls|max(case_sensitive=true)
objs[:3]|min(attribute="v")
l|unique|list
ls|unique|list
ls|unique(true)|list
[1, 1.0, true]|unique|list
objs|unique(attribute="v")|list
[[1]]|unique|list
l|map("string")|list
ls|map("upper")|join
ls|map("replace", "a", "z")|list
objs|map(attribute="name")|list
objs|map(attribute="name", default="?")|list
nested|map("length")|list
l|map("nofilter")|list
l|map|list
none|map("upper")|list
messages|map(attribute="role")|join(",")
l|select("odd")|list
l|select("gt", 1)|list
[0, 1, "", "a"]|select|list
l|reject("odd")|list
[0, 1, "", "a"]|reject|list
objs|selectattr("name")|list|length
objs|selectattr("v", "eq", 2)|map(attribute="name")|list
objs|selectattr("name", "defined")|list|length
objs|rejectattr("v", "equalto", 2)|list
objs|rejectattr("name")|list
messages|selectattr("role", "equalto", "user")|list|length
messages|selectattr("tool_calls")|list|length
objs|selectattr|list
undefined_x|select("odd")|list
n|select("odd")|list
l|select("nosuchtest")|list
d|dictsort
d|dictsort(true)
d|dictsort(false, "value")
d|dictsort(reverse=true)
d|dictsort(by="nope")
l|dictsort
d|items|list
undefined_x|items|list
l|items|list
d.items()|list
d.keys()|list
d.values()|list
d.items()
d.keys()
d.values()
d.items()|length
d|items|length
d.get("a")
d.get("zz")
d.get("zz", "def")
d.get("zz", default="def")
d.get()
d.copy()
d.update({"z": 1})
d.pop("a")
d.pop is defined
l.append(4)
l.append is defined
l.append
l.index(1)
l.index(99)
l.count(1)
l.sort()
(1, 2, 1).count(1)
(1, 2).index(2)
s|string
n|string
l|string
d|string
"3"|int
"3.7"|int
"abc"|int
"abc"|int(9)
"0x1A"|int(base=16)
"1A"|int(0, 16)
"0b11"|int(0, 2)
" 42 "|int
"1_000"|int
"-5"|int
"+5"|int
"--5"|int
3.9|int
-3.9|int
true|int
none|int
none|int(5)
[]|int
"1e3"|int
"3.5"|float
"abc"|float
"abc"|float(1.5)
"1e5"|float
" 2 "|float
"inf"|float
"-Infinity"|float
"nan"|float
"1_0.5"|float
3|float
true|float
none|float
-5|abs
5.5|abs
-5.5|abs
"a"|abs
true|abs
2.5|round
3.5|round
2.675|round(2)
2.567|round(1)
42|round
42|round(2)
1234|round(-2)
1250|round(-2)
1350|round(-2)
42.55|round(1, "floor")
42.55|round(1, "ceil")
42.5|round(method="ceil")
-2.5|round
42|round(0, "floor")
2.5|round(method="x")
"a"|round
0.5|round
1.5|round
1e20|round
s|e
html|e
html|escape
html|forceescape
html|safe
html|e|e
html|e|string
html|safe ~ "<b>"
(html|safe) + "<b>"
"<b>" + (html|e)
html|tojson
n|tojson
f|tojson
t|tojson
no|tojson
l|tojson
d|tojson
nested|tojson
u|tojson
q|tojson
u|tojson(ensure_ascii=true)
q|tojson(true)
nested|tojson(indent=2)
nested|tojson(indent=0)
[]|tojson(indent=2)
{}|tojson(indent=2)
{"a": []}|tojson(indent="\\t")
d|tojson(sort_keys=true)
d|tojson(separators=(",", ":"))
{"a": 1, "b": [1, 2]}|tojson(indent=4, separators=(", ", ": "))
(1, 2)|tojson
{1: 2, none: 3, true: 4, 1.5: 5}|tojson
range(3)|tojson
d.items()|tojson
1e16|tojson
1e100|tojson
"nan"|float|tojson
"inf"|float|tojson
tools|tojson
tools[0]|tojson(indent=4)
messages|tojson
text|indent
text|indent(2)
text|indent(2, true)
text|indent(2, true, true)
text|indent("> ")
text|indent(width=1, first=true, blank=true)
n|indent
""|indent
"a\\n"|indent
"a\\n\\n"|indent(2, false, true)
s|center(20)
s|center(3)
s|wordcount
s|truncate(8)
s|truncate(5, true)
s|truncate(5, true, "..")
s|truncate(8, false, "!", 0)
s|truncate(2)
"foo bar baz qux"|truncate(9)
"foo bar baz qux"|truncate(11, false, "...", 0)
"%s-%s"|format("a", 1)
"%(x)s"|format(x=2)
"%s"|format
"a {} b {}".format(1, "x")
"{0} {1} {0}".format("a", "b")
"{x}".format(x=5)
"{:>5}|{:<5}|{:^5}|{:*^7}|{:05d}|{:.2f}|{:,}|{:x}|{:e}|{:%}|{:+d}".format("a", "b", "c", "d", 42, 3.14159, 1234567, 255, 12345.6789, 0.25, 5)
"{a.b}".format(a={"b": 1})
"{a[b]}".format(a={"b": 1})
"{0[1]}".format(l)
"{{}}".format()
"{!r}".format("a")
"{!s:>4}".format(12)
"{}".format()
"{} {0}".format(1)
"{x}".format()
"{".format()
"{:d}".format("a")
"{:.3}".format("abcdef")
"{:10.3}|".format("abcdef")
"{}".format(none)
"{}".format(l)
"{}".format(true)
"{:g} {:g} {:g}".format(1.5, 1e10, 1e-7)
l|batch(2)|list
l|batch(2, "x")|list
range(7)|batch(3)|list
l|slice(2)|list
range(7)|slice(3)|list
range(7)|slice(3, "z")|list
objs|groupby("v")|list
objs[:3]|groupby("name")|list
objs|groupby("name", default="zz")|list
(objs|groupby("v"))[0].grouper
(objs|groupby("v"))[0].list|length
objs[:3]|groupby("name", case_sensitive=true)|map("first")|list
d|attr("items")
d|attr("a")
s|attr("upper")
ws.strip()
ws.lstrip()
ws.rstrip()
"xxaxx".strip("x")
"xyaxy".lstrip("xy")
"xyaxy".rstrip("yx")
u.strip("\u0645\U0001f600")
ws.strip(none)
s.upper()
s.lower()
"hello wORLD it's".title()
"hello wORLD it's"|title
"foo-bar (baz) [q] {x} <y> a_b"|title
"hELLO".capitalize()
"\u00e9cole \u00df".upper()
"\u00c9COLE \u0130".lower()
"\u00e9cole"|capitalize
"stra\u00dfe \u01c6"|title
"\u03a3\u0391\u03a3".lower()
s.split()
s.split(",")
s.split(", ", 1)
"a,b,c".split(",", 1)
"a,b,c".split(",", maxsplit=1)
"a,b,c".split(sep=",")
"a,b,c".rsplit(",", 1)
" a  b c ".split()
" a  b c ".split(none, 1)
" a  b c ".rsplit(none, 1)
" a  b c ".rsplit()
"a<>b<>c".split("<>")
"a<>b<>c".rsplit("<>", 1)
"".split()
"".split(",")
"abc".split("")
"aaa".split("aa")
"aaaa".rsplit("aa")
text.splitlines()
text.splitlines(true)
"".splitlines()
"a\\n".splitlines()
"a,b".partition(",")
"ab".partition(",")
"a,b,c".rpartition(",")
"ab".rpartition(",")
s.startswith("He")
s.startswith(("x", "He"))
s.startswith("llo", 2)
s.startswith("H", 0, 1)
s.endswith("ld")
s.endswith(("x", "ld"))
s.endswith("o", 0, 5)
s.startswith(1)
s.startswith("")
s.find("o")
s.find("o", 5)
s.find("zz")
s.find("", 100)
u.find("\u4f60")
u.rfind(" ")
s.rfind("o")
s.rfind("o", 0, 5)
s.index("W")
s.index("zz")
s.rindex("l")
s.count("l")
s.count("l", 3)
s.count("")
"aaaa".count("aa")
s.replace("l", "L")
s.replace("l", "L", 1)
s.replace("", "-")
u.replace("", "-")
s.replace("zz", "y")
s.replace("l", "", -1)
",".join(ls)
",".join(l)
"-".join("abc")
"".join([])
"abc".isdigit()
"123".isdigit()
"".isdigit()
"12a".isdigit()
"abc".isalpha()
"\u00e9\u4f60".isalpha()
"ab1".isalnum()
"ab ".isalnum()
" \\t\\n".isspace()
"".isspace()
"ABC".isupper()
"Abc".isupper()
"abc".islower()
"123".islower()
"abc".isascii()
u.isascii()
"abc".isprintable()
"a\\nb".isprintable()
"12".isnumeric()
"12".isdecimal()
"prefix-x".removeprefix("prefix-")
"x.txt".removesuffix(".txt")
"x".removesuffix("")
"a".ljust(3) ~ "|"
"a".rjust(3, "*")
"a".center(4, "-")
"ab".center(5, "-")
"42".zfill(5)
"-42".zfill(5)
"+4".zfill(2)
s.nope()
s.nope
s.upper
s.__class__
s.__class__.__mro__
"".__class__.__mro__[1].__subclasses__()
[].__class__
d.__class__
n.__class__
n.__add__(1)
self
self.x
cycler
messages.__init__.__globals__
request
config
s.format.__globals__
range.__init__
"{0.__class__}".format(s)
"{0.__class__.__mro__}".format(s)
d|attr("__class__")
d["__class__"]
(f).is_integer()
(2.0).is_integer()
range(5)
range(5)|list
range(2, 8, 3)|list
range(5, 0, -2)|list
range(5)[1]
range(5)[1:3]
range(10)[::-2]|list
range(0)|list
range(3)|length
range(200000)|length
range(1.5)|list
range()
range("a")
range(1, 5, 0)
3 in range(5)
range(3) == range(0, 3)
dict(a=1, b="x")
dict({"a": 1}, b=2)
dict([("a", 1), ("b", 2)])
dict([1])
dict(l)
{"a": 1, "b": [1, {"c": none}]}
{1: "a", 1.0: "b", true: "c"}
{"a": 1, "a": 2}
{[1]: 2}
{(1, 2): 3}
{}
[]
()
(1,)
(1, 2)
[1, "a", none, true, 1.5, "it's", 'say "x"', "both ' and \\""]
[u, q]
["\\n\\t\\r\\\\"]
namespace(a=1).a
namespace(a=1)
namespace({"a": 1}, b=2).b
namespace(_a=1)
namespace().x
namespace(a=1)["a"]
raise_exception("no")
lipsum(1)
loop
loop.index
"\\u00e9\\x41\\101\\n\\q"
'\\'' ~ "\\""
"tab\\there"
"\\é"
-(1)
+1
-s
- -1
--1
not not 1
1 if 0
(1, 2)[0]
[1, 2][1]
"abc"[1]
{"a": 1}.a
{"a": 1}["a"]
d.a.b
d.a.b.c
l.0
nested.1.k.0
nested[1].k[-1]
nested[0][1][0]
1.5.foo
messages[0].content|trim
messages[0]['role']
messages[-1].role
messages|length
messages[1:]|length
messages[::-1]|map(attribute="role")|join(" ")
messages[2].tool_calls[0].function.arguments|tojson
messages[2].content
messages[2].content is none
messages[2].content is string
messages[2].content or ""
messages[1].content.split("<|im_end|>")
tools is not none and tools|length > 0
tools[0].function.name
bos_token
bos_token + messages[0].content
big
big + 1
items
d|items
l|map("string")
d is sameas d
s|nofilter
s|trim()|upper
s | upper | lower
(s|upper)[0:2]
s|upper()[0]
d.values()|sum
d.values()|list|sort
d.keys()|sort|join
l|list == l
l is eq [3, 1, 2]
s|length > 5 and s|length < 50
(1 if t else 2) + 1
"a" ~ ("b" if t else "c") ~ "d"
"%s" % undefined_x
undefined_x|join
undefined_x|sort
undefined_x|sum
undefined_x|first
undefined_x|last
undefined_x|replace("a", "b")
undefined_x|string
undefined_x|trim
undefined_x|abs
undefined_x|round
undefined_x|float
undefined_x|safe
undefined_x|e
undefined_x|dictsort
undefined_x|indent
undefined_x[0:1]
none[0:1]
none|length
none|upper
none|trim
none|string
none|list
none|join
none|first
none|tojson
none ~ "x"
none + 1
"a" + 1
1 + "a"
"a" - "b"
"a" / 2
[1] + (2,)
1 / 0
1 // 0
1 % 0
1.5 % 0
0 ** -1
d + d
d < d
l < s
l * 2.0
"a" * 1.5
1 ~ 2
1 ~ 2 + 3
1 + 2 ~ 3
2 * 3 ~ 4
10 - 2 - 3
2 + 3 * 4
(2 + 3) * 4
not 1 == 2
not n in l
n not in l
1 == 1 == true
"a" in "abc" == true
s is string and n is number
n is defined and n
s is not string or n is not number
s.split(", ")|map("lower")|list
loop is defined
cycler("a", "b").next()
joiner()
ls.index("C")
messages|map(attribute="content")|select("string")|list|length
messages|map(attribute="tool_calls.0.function.name")|list
objs|map(attribute="v")|sum
objs|map(attribute="v")|max
nested|map(attribute="0")|list
l|map("float")|map("string")|join("|")
d|length|string ~ "!"
"a" if undefined_x else "b"
"a" if undefined_x.y else "b"
[undefined_x]
[undefined_x]|tojson
{"a": undefined_x}|string
(undefined_x, none)
[html|e]
l|map("upper")|list
true|upper
1.0|string
[1.0, 1e20]
1e5|int
"1e5"|float|int
1000000000000000000000
9223372036854775807
9223372036854775807 + 1
s|batch(5)|map("join")|list
"ab\u00e7"|list
"\u00e9" < "f"
["b", "a"] < ["b", "c"]
s|e|upper
s|safe|length
s.encode("utf-8")
s|urlencode
d|xmlattr
s|random
s|pprint
s|filesizeformat
s|wordwrap(5)
html|striptags
s|urlize
"a\\
b"
"""

STATEMENTS = [
    "{% set x = 1 %}{{ x }}",
    "{% set x, y = 1, 2 %}{{ x }}{{ y }}",
    "{% set x, y = [1] %}{{ x }}",
    "{% set x, (y, z) = 1, [2, 3] %}{{ x }}{{ y }}{{ z }}",
    "{% set x %}a{{ n }}b{% endset %}[{{ x }}]",
    "{% set x | upper %}ab{% endset %}{{ x }}",
    "{% set x | upper | replace('A', 'z') %}ab{% endset %}{{ x }}",
    "{% set ns = namespace(a=1) %}{% set ns.a = 5 %}{{ ns.a }}",
    "{% set ns = namespace(a=0) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}",
    "{% set d.a = 5 %}",
    "{% set zz.a = 5 %}",
    "{% set ns = namespace() %}{% set ns.x %}block{% endset %}{{ ns.x }}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{% set x = 1 %}{% for i in [1,2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}",
    "{% for i in [1] %}{{ s2 }}{% endfor %}{% set s2 = 5 %}{{ s2 }}",
    "{% for i in [1] %}{{ s }}{% endfor %}{% set s = 5 %}{{ s }}",
    "{{ s }}{% for i in [1] %}{{ s }}{% endfor %}{% set s = 5 %}{{ s }}",
    "{% if false %}{% set s = 1 %}{% endif %}{{ s }}",
    "{% if true %}{% set s = 1 %}{% endif %}{{ s }}",
    "{% if n %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}",
    "{% if not n %}{% set a = 1 %}{% elif n %}{% set a = 2 %}{% else %}{% set a = 3 %}{% endif %}{{ a }}",
    "{% for i in l %}{% if i == 1 %}{% set s = i %}{% endif %}{{ s }},{% endfor %}{{ s }}",
    "{% for i in l %}{% if loop.index0 > 0 %}{{ n }}{% endif %}{% set n = i %}{% endfor %}{{ n }}",
    "{% macro m() %}{{ s }}{% endmacro %}{{ m() }}{% set s = 1 %}{{ m() }}",
    "{% macro m() %}{{ yy }}{% endmacro %}{% set yy = 2 %}{{ m() }}",
    "{% set x = 1 %}{% macro m() %}{{ x }}{% set x = 3 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}",
    "{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|{{ m(1, c=9) }}|{{ m(b=1, a=2) }}",
    "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}",
    "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m() %}{{ kwargs|items|list }}{% endmacro %}{{ m(x=4, y=5) }}",
    "{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(5) }}",
    "{% macro a(x) %}{{ b(x) }}{% endmacro %}{% macro b(x) %}<{{ x }}>{% endmacro %}{{ a(1) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}body {{ n }}{% endcall %}",
    "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a }}-{{ b }}{% endcall %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}",
    "{% macro m(caller=none) %}{{ caller }}{% endmacro %}{{ m() }}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m(a) %}{% set a = 5 %}{{ a }}{% endmacro %}{{ m(1) }}",
    "{% macro m(s) %}{{ s }}{% endmacro %}{{ m('p') }}{{ s }}",
    "{% macro outer() %}{% macro inner() %}i{{ n }}{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}",
    "{% macro m() %}a{% endmacro %}{{ m }}",
    "{% macro m() %}a{% endmacro %}{{ m.name }}",
    "{% set x = m %}{% macro m() %}a{% endmacro %}{{ x is defined }}",
    "{% macro m() %}  a  {% endmacro %}[{{ m()|trim }}]",
    "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }};{% endfor %}",
    "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }};{% endfor %}",
    "{% for i in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}",
    "{% for i in [1,1,2,2,1] %}{{ loop.changed(i) }};{% endfor %}",
    "{% for i in range(5) %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for i in l %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}",
    "{% for i in l %}{{ loop }}{% endfor %}",
    "{% for i in l %}{{ loop.nope }}{% endfor %}",
    "{% for i in l %}{% for j in l %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for i in l %}{% set outer = loop %}{% for j in ls %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{{ loop.length }}{{ loop.last }};{% endfor %}",
    "{% for i in l if i > 5 %}{{ i }}{% else %}none{% endfor %}",
    "{% for i in [] %}{{ i }}{% else %}empty{% endfor %}",
    "{% for i in l %}{{ i }}{% else %}empty{% endfor %}",
    "{% for i in l %}{% break %}{% else %}E{% endfor %}",
    "{% for i in l %}{% continue %}{% else %}E{% endfor %}",
    "{% for i in l %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{% for j in l %}{% if j == 1 %}{% break %}{% endif %}{{ j }}{% endfor %};{% endfor %}",
    "{% break %}",
    "{% for i in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for i in l %}{% set x %}a{% break %}b{% endset %}{{ x }}{% endfor %}after",
    "{% for i in l %}{% filter upper %}a{% continue %}{% endfilter %}{% endfor %}after",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}",
    "{% for k, v in d %}{{ k }}{% endfor %}",
    "{% for a, b in [[1, 2], (3, 4), 'xy'] %}{{ a }}{{ b }};{% endfor %}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for c in u %}{{ c }}|{% endfor %}",
    "{% for i in n %}{% endfor %}",
    "{% for i in none %}{% endfor %}",
    "{% for i in undefined_x %}x{% else %}e{% endfor %}",
    "{% for i in range(3) %}{{ i }}{% endfor %}",
    "{% for i in 1, 2, 3 %}{{ i }}{% endfor %}",
    "{% for i in l recursive %}{{ i }}{% endfor %}",
    "{% for loop in l %}{% endfor %}",
    "{% for i in l %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for i in l if not ns_stop %}{{ i }}{% endfor %}",
    "{% set ns = namespace(stop=false) %}{% for i in l if not ns.stop %}{{ i }}{% set ns.stop = true %}{% endfor %}",
    "{% set ns = namespace(stop=false) %}{% for i in l if not ns.stop %}{{ i }}{{ loop.last }}{% set ns.stop = true %}{% endfor %}",
    "{% set it = l|map('string') %}{% for i in it %}{{ i }}{% endfor %}{% for i in it %}{{ i }}{% endfor %}",
    "{% set it = l|map('string') %}{{ it|first }}{{ it|list }}",
    "{% for i in l|map('string') %}{{ loop.length }}{{ loop.last }}{% endfor %}",
    "{% for m in messages %}{{ m.role }}{% if m.content is string %}:{{ m.content|trim }}{% endif %};{% endfor %}",
    "{% for m in messages %}{% if loop.index0 == 0 and m.role == 'system' %}{% continue %}{% endif %}{{ m.role }} {% endfor %}",
    "{% if n %}a{% endif %}{% if not n %}b{% endif %}",
    "{% if fa %}a{% elif n > 5 %}b{% else %}c{% endif %}",
    "{% if fa %}a{% elif no %}b{% elif 0 %}d{% else %}c{% endif %}",
    "{% if '' %}a{% endif %}{% if [] %}b{% endif %}{% if {} %}c{% endif %}{% if 0.0 %}d{% endif %}{% if ' ' %}e{% endif %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with a = n %}{% with b = a %}{{ b }}{% endwith %}{% endwith %}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q|length }}",
    "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% filter upper %}abc {{ s }}{% endfilter %}",
    "{% filter replace('a', 'b')|upper %}abc{% endfilter %}",
    "{% filter indent(2) %}a\nb{% endfilter %}",
    "{% filter nofilter %}a{% endfilter %}",
    "{% print 1, 2 %}",
    "{% generation %}a{{ n }}{% endgeneration %}b",
    "{% for m in messages %}{% generation %}{{ m.role }}{{ loop.index }}{% endgeneration %}{% endfor %}",
    "{% generation %}{% set gg = 1 %}{% endgeneration %}{{ gg }}",
    "{% raw %}{{ n }}{% x %}{% endraw %}",
    "{% raw -%}  a {{ b }}  {%- endraw %}c",
    "  {% raw %}\n a\n{% endraw %}\nb",
    "{% raw %}a",
    "{# comment #}a{# {{ x }} #}b",
    "a\n  {# c #}\nb",
    "a\n  {#- c -#}\nb",
    "{# unclosed",
    "a\n  {% if n %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%- if n %}\n  b\n  {%- endif %}\nc\n",
    "a\n  {%- if n -%}\n  b\n  {%- endif -%}\nc\n",
    "a\n  {%+ if n %}\n  b\n  {%+ endif %}\nc\n",
    "a\n  {% if n +%}\n  b\n  {% endif +%}\nc\n",
    "a\n  x {% if n %}\n  b\n y {% endif %}\nc\n",
    "a  {{- n -}}  b",
    "a\n  {{ n }}\nb",
    "a\n  {{- n }}\nb",
    "a\n\n{% if n %}\n\nb\n\n{% endif %}\n\nc",
    "{{ n }}\n{{ n }}\n\n",
    "a\n",
    "a\n\n",
    "a\r\nb\rc\r\n",
    "{% if n %}\r\nb\r\n{% endif %}\r\n",
    "\t{% if n %}x{% endif %}",
    " \u3000{%- if n %}x{% endif %}",
    "{%if n%}x{%endif%}",
    "{{n}}{{s}}",
    "{{ {'a': {'b': 1}} }}",
    "{{ {'a': {'b': 1}}['a']['b'] }}",
    "{{ '}}' }}{{ '%}' }}",
    "{% set x = '%}' %}{{ x }}",
    "{% set x = {'a': '}}'} %}{{ x }}",
    "{{ (1,\n 2) }}",
    "{{ }}",
    "{{ 1",
    "{% if %}",
    "{% if n %}",
    "{% endif %}",
    "{% nosuch %}",
    "{% for %}",
    "{% for i l %}{% endfor %}",
    "{{ 1 + }}",
    "{{ (1 }}",
    "{{ [1 }}",
    "{{ {1} }}",
    "{{ a b }}",
    "{{ 'a }}",
    "{{ a..b }}",
    "{{ a. }}",
    "{{ a[ }}",
    "{{ a[] }}",
    "{{ a|  }}",
    "{{ a is }}",
    "{{ a is not }}",
    "{{ $ }}",
    "{{ a ? b }}",
    "{{ a; b }}",
    "{{ f(a=1, 2) }}",
    "{{ f(a=1, a=2) }}",
    "{{ a := 1 }}",
    "{{ a & b }}",
    "{{ 1 = 2 }}",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% set a.b.c = 2 %}",
    "{% set x = %}",
    "{% block a %}x{% endblock %}",
    "{% extends 'a' %}",
    "{% include 'a' %}",
    "{% import 'a' as b %}",
    "{% from 'a' import b %}",
    "{% autoescape true %}x{% endautoescape %}",
    "{% do 1 %}",
    "{% if n: %}x{% endif %}",
    "{% else %}",
    "{% if n %}{% for i in l %}{% endif %}{% endfor %}",
    "{% if false %}{{ s|nofilter }}{% endif %}ok",
    "{% if false %}{{ s is nosuchtest }}{% endif %}ok",
    "{% if true %}{{ s|nofilter }}{% endif %}ok",
    "{{ s|nofilter if false else 'ok' }}",
    "{% if false %}{% for i in l %}{{ i|nofilter }}{% endfor %}{% endif %}ok",
    "{% macro m(args) %}{{ args }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'args': 2}) }}",
    "{{ dict(**d) }}",
    "{{ s.replace(*['l', 'x']) }}",
    "{{ '%s %s' | format(*ls[:2]) }}",
    "{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}",
    "{% set j = joiner('|') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}",
    "{% set x = l + [4] %}{{ x }}{{ l }}",
    "{% set ns = namespace(l=[]) %}{% for i in l %}{% set ns.l = ns.l + [i * 2] %}{% endfor %}{{ ns.l }}",
    "{% set ns = namespace(i=0, found=false) %}{% for m in messages[::-1] %}{% if not ns.found and m.role == 'user' %}{% set ns.found = true %}{% set ns.i = loop.index0 %}{% endif %}{% endfor %}{{ ns.i }}{{ ns.found }}",
    "{% set messages = messages[1:] %}{% for m in messages %}{{ m.role }} {% endfor %}",
    "{% if messages[0].role == 'system' %}{% set loop_messages = messages[1:] %}{% set system = messages[0].content %}{% else %}{% set loop_messages = messages %}{% set system = false %}{% endif %}{{ system }}{{ loop_messages|length }}",
    "{% for m in messages if m.role != 'tool' %}{{ loop.index }}{{ m.role }}{{ loop.nextitem.role if loop.nextitem is defined else 'END' }} {% endfor %}",
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}x{% else %}y{% endif %}{% endfor %}",
    "{{ '<|im_start|>' + messages[1].role + '\\n' + messages[1].content + '<|im_end|>\\n' }}",
    "{%- for message in messages %}{{- '<|im_start|>' ~ message.role ~ '\n' }}{% endfor %}",
    "{% macro render(c) %}{% if c is string %}{{ c }}{% elif c is none %}{% else %}{{ c|tojson }}{% endif %}{% endmacro %}{% for m in messages %}[{{ render(m.content)|trim }}]{% endfor %}",
    "{% for t in tools %}{{ t | tojson }}\n{% endfor %}",
    "{% for t in tools %}\n  {{- t.function | tojson(indent=4) }}\n{% endfor %}",
    "{% set content = messages[1].content %}{% if '<|im_end|>' in content %}{{ content.split('<|im_end|>')[0].rstrip('\\n').lstrip('\\n') }}{% endif %}",
    "{{ messages[1].content.split('<|im_end|>')[-1].lstrip() }}",
    "{{ raise_exception('Bad ' ~ messages[0].role) }}",
    "{% if messages|length > 99 %}{{ raise_exception('x') }}{% endif %}fine",
    "{% for i in l %}{% if loop.first %}[{% endif %}{{ i }}{% if loop.last %}]{% endif %}{% endfor %}",
    "{% set a %}{% set b = 1 %}{{ b }}{% endset %}{{ a }}{{ b is defined }}",
    "{% macro m(l) %}{{ l.last }}{% endmacro %}{% for i in l if i != 1 %}{{ m(loop) }}{% endfor %}",
    "{% for i in l %}{% call m2() %}{{ loop.index }}{% endcall %}{% endfor %}{% macro m2() %}{{ caller() }}{% endmacro %}",
    "{% macro m2() %}({{ caller() }}){% endmacro %}{% for i in l %}{% call m2() %}{{ loop.index }}{% endcall %}{% endfor %}",
    "{% set x = 5 %}{% macro m2() %}({{ caller() }}){% endmacro %}{% call m2() %}{{ x }}{% set x = 6 %}{{ x }}{% endcall %}{{ x }}",
    "{{ strftime_now('') }}",
    "{{ undefined_fn() }}",
    "{{ s() }}",
    "{{ d.items }}x",
    "{{ d['copy'] is callable }}",
    "{% set x = d.get %}{{ x('a') }}",
    "{% set f2 = s.upper %}{{ f2() }}",
    "{{ namespace }}",
    "{{ {'items': 1}.items is callable }}",
    "{{ {'items': 1}['items'] }}",
    "{{ {'get': 5}.get('get') }}",
    "{{ {'append': 5}.append }}",
    "{{ {'update': 5}.update }}",
    "{{ {'update': 5}['update'] }}",
    "{{ {'__class__': 5}['__class__'] }}",
    "{{ {'_x': 5}._x }}",
    "{% set x = namespace(a=namespace(b=1)) %}{{ x.a.b }}",
    "{% set x = namespace(d={}) %}{% set x.d = dict(x.d, k=1) %}{{ x.d }}",
    "{% for x in l|sort(reverse=true) %}{{ x }}{% endfor %}",
    "{% for k, v in d|dictsort %}{{ k }}{{ v }}{% endfor %}",
    "{% for k, g in objs|groupby('v') %}{{ k }}:{{ g|length }};{% endfor %}",
    "{% for g in objs|groupby('v') %}{{ g.grouper }}:{{ g.list|length }};{% endfor %}",
    "{% for row in range(5)|batch(2, 0) %}{{ row|join }};{% endfor %}",
    "{% if 'a' in d and d.a == 2 %}y{% endif %}",
    "{% if d.zz is defined and d.zz %}y{% else %}n{% endif %}",
    "{% if tools %}{{ tools|length }}{% endif %}",
    "{% if not undefined_x is defined %}y{% endif %}",
    "{% if undefined_x is not defined or undefined_x %}y{% endif %}",
    "{% for _ in range(3) %}{{ _ }}{% endfor %}",
    "{{ 'x' if loop is defined and loop.first }}",
    "{% for i in range(3) -%}\n  {{ i }}\n{%- endfor %}",
    "{%- for i in range(3) %}\n    {%- if i %}\n        {{- i }}\n    {%- endif %}\n{%- endfor %}\nend",
    "{%- set x = 1 -%}\n\n  {{ x }}  \n\n{#- c -#}\n\n y",
]


def cases():
    """Pairs of a template and the name of its context."""
    out = []
    for line in OUTPUTS.replace("\\\nb", "\0").split("\n"):
        if line.strip():
            out.append(("{{ " + line.replace("\0", "\\\nb") + " }}", "plain"))
    out += [(text, "plain") for text in STATEMENTS]
    return out
