#!/usr/bin/env python3
"""Generates texts under grammars with random logits and validates them: 0 wrong is the figure.

usage: compare.py --binary PATH --work DIR [--schemas N] [--runs N] [--seed N]
PATH: the tulou program, or grammar_tool (which is built into tests/grammar beside it).
Needs the package jsonschema. About a minute; --schemas 5000 is the campaign.

Every schema of the table in schemas.py must be taken or refused as it says there, and so must
random ones be; each text of a schema that is taken is parsed by Python's json and validated by
jsonschema, with formats checked here. A dead end (no token allowed) is wrong, and so is text that
is not UTF-8. Regular expressions that are known to be expensive must end in a result or an error
in time.
"""

import argparse
import collections
import datetime
import ipaddress
import json
import os
import re
import subprocess
import sys
import uuid

import jsonschema
import patterns
import schemas

CHECKER = jsonschema.FormatChecker(formats=())
MAX_MS = 2000  # for one grammar; the limit of its compilation is 250 ms of processor time


def checks(name):
    """A format says nothing of values that are no strings."""

    def add(function):
        CHECKER.checks(name, raises=ValueError)(
            lambda value: not isinstance(value, str) or function(value)
        )
        return function

    return add


@checks("date")
def is_date(text):
    return bool(datetime.date.fromisoformat(text)) and len(text) == 10


@checks("time")
def is_time(text):
    return datetime.time.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None


@checks("date-time")
def is_date_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None


@checks("uuid")
def is_uuid(text):
    return str(uuid.UUID(text)) == text


@checks("ipv4")
def is_ipv4(text):
    return bool(ipaddress.IPv4Address(text))


@checks("ipv6")
def is_ipv6(text):
    return ipaddress.IPv6Address(text) is not None


@checks("hostname")
def is_hostname(text):
    label = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
    return len(text) <= 253 and all(label.fullmatch(one) for one in text.split("."))


@checks("email")
def is_email(text):
    local, _, host = text.rpartition("@")
    atoms = re.fullmatch(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", local, re.A)
    return bool(atoms) and len(local) <= 64 and is_hostname(host)


@checks("uri")
def is_uri(text):
    # RFC 3986, of URIs with an authority and without user information and percent escapes.
    plain = r"[A-Za-z0-9._~!$&'()*+,;=:@-]*"
    tail = rf"({plain}|[/?])*"
    match = re.fullmatch(
        rf"[a-z][a-z0-9+.-]*://([^/?#:]+)(:[0-9]*)?(/{plain})*(\?{tail})?(#{tail})?", text
    )
    return bool(match) and is_hostname(match.group(1))


def first_wins(pairs):
    result = {}
    for key, value in pairs:
        result.setdefault(key, value)
    return result


def wrong_text(validator, text):
    """What is wrong with a text, or None; a repeated name must be right in both readings."""
    try:
        readings = [json.loads(text), json.loads(text, object_pairs_hook=first_wins)]
    except ValueError as error:
        return f"not JSON: {error}"
    for value in readings:
        errors = [error.message for error in validator.iter_errors(value)]
        if errors:
            return errors[0]
    return None


class Tool:
    def __init__(self, binary, work):
        self.work = work
        self.binary = binary
        if os.path.basename(binary) != "grammar_tool":
            self.binary = os.path.join(os.path.dirname(binary), "tests/grammar/grammar_tool")

    def run(self, cases, runs, seed, steps=120):
        path = os.path.join(self.work, "cases.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"runs": runs, "seed": seed, "steps": steps, "cases": cases}, file)
        with subprocess.Popen([self.binary, path], stdout=subprocess.PIPE) as process:
            for case, line in zip(cases, process.stdout, strict=True):
                yield case, json.loads(line)
        if process.returncode != 0:
            sys.exit(f"grammar_tool ended with {process.returncode}")


class Report:
    def __init__(self, what):
        self.what = what
        self.counts = collections.Counter()
        self.slowest = 0

    def wrong(self, case, why):
        self.counts["wrong"] += 1
        if self.counts["wrong"] <= 5:
            print(f"  {ascii(case['text'])[:600]}\n  -> {ascii(why)[:600]}", flush=True)

    def generated(self, case, result):
        """Counts one result; True if there are texts to look at."""
        self.slowest = max(self.slowest, result["ms"])
        if result["ms"] > MAX_MS:
            self.wrong(case, f"took {result['ms']:.0f} ms")
        if "error" in result:
            self.counts["refused"] += 1
            return False
        self.counts["taken"] += 1
        self.counts["texts"] += len(result["texts"])
        self.counts["unfinished"] += result["unfinished"]
        for what in ("dead_ends", "not_utf8"):
            if result[what]:
                self.wrong(case, f"{result[what]} {what}")
        return True

    def end(self):
        self.counts.setdefault("wrong", 0)
        numbers = ", ".join(f"{n} {name}" for name, n in sorted(self.counts.items()))
        print(f"{self.what:24} {numbers}; slowest {self.slowest:.0f} ms", flush=True)
        return self.counts["wrong"]


def check_schemas(report, results):
    """Validates what was generated; yields the errors of those that were refused."""
    for case, result in results:
        if report.generated(case, result):
            schema = json.loads(case["text"])
            validator = jsonschema.Draft202012Validator(schema, format_checker=CHECKER)
            for text in result["texts"]:
                why = wrong_text(validator, text)
                if why:
                    report.wrong(case, f"{text}: {why}")
        yield case, result


def check_table(tool, runs):
    report = Report("schemas of the table")
    cases = [
        {"kind": "schema", "text": json.dumps(schema), "expected": expected}
        for schema, expected in schemas.TABLE
    ]
    for case, result in check_schemas(report, tool.run(cases, 4 * runs, 1)):
        if result.get("error") != case["expected"]:
            report.wrong(case, f"{result.get('error')} {result.get('message')}")
        elif not case["expected"] and not result["texts"]:
            report.wrong(case, "no text was finished")
    return report.end()


def check_random(tool, count, runs, seed):
    report = Report("random schemas")
    why = collections.Counter()
    cases = [{"kind": "schema", "text": text} for text in schemas.random_schemas(count, seed)]
    for _, result in check_schemas(report, tool.run(cases, runs, seed)):
        if "error" in result:
            why[re.sub(r"#\S*", "#", result["message"])[:90]] += 1
    for message, n in why.most_common(8):
        print(f"    {n:5} {message}")
    if report.counts["taken"] < count // 2:
        report.wrong({"text": ""}, "less than half of the schemas were taken")
    return report.end()


def check_regexes(tool, runs):
    report = Report("regular expressions")
    cases = [{"kind": "regex", "text": text} for text in patterns.PLAIN]
    for case, result in tool.run(cases, 4 * runs, 5):
        if not report.generated(case, result):
            report.wrong(case, result["message"])
            continue
        for text in result["texts"]:
            if not re.search(case["text"], text):
                report.wrong(case, text)
    return report.end()


def check_expensive(tool):
    """Patterns that make matchers explode: an error or a grammar, in time, in any field."""
    report = Report("expensive patterns")
    cases = []
    for i, text in enumerate(patterns.expensive(500)):
        in_schema = json.dumps({"type": "string", "pattern": text})
        cases.append({"kind": "schema", "text": in_schema} if i % 2 else
                     {"kind": "regex", "text": text})
    for case, result in tool.run(cases, 1, 7, 30):
        report.generated(case, result)
        if result.get("error") == "grammar.too_ambiguous":
            report.counts["of them while generating"] += 1
    return report.end()


def check_others(tool, runs):
    report = Report("choices, objects, EBNF")
    cases = [
        {"kind": "object", "text": ""},
        {"kind": "choice", "text": json.dumps(["yes", "no", 'may"be\n', "é中"])},
        {"kind": "ebnf", "text": 'root ::= (item ",")* item # list\nitem ::= [a-c]{2,3} | "x\\n"'},
    ]
    valid = [
        lambda text: isinstance(json.loads(text), dict),
        lambda text: text in ["yes", "no", 'may"be\n', "é中"],
        lambda text: re.fullmatch(r"(([a-c]{2,3}|x\n),)*([a-c]{2,3}|x\n)", text),
    ]
    for (case, result), check in zip(tool.run(cases, 20 * runs, 9), valid, strict=True):
        if not report.generated(case, result):
            report.wrong(case, result["message"])
            continue
        for text in result["texts"]:
            if not check(text):
                report.wrong(case, text)
    return report.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--schemas", type=int, default=600)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    tool = Tool(args.binary, args.work)
    wrong = check_table(tool, args.runs)
    wrong += check_regexes(tool, args.runs)
    wrong += check_others(tool, args.runs)
    wrong += check_expensive(tool)
    wrong += check_random(tool, args.schemas, args.runs, args.seed)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
