"""Runs `tulou serve` and speaks to it as clients do: the openai package, sockets, signals.

usage: compare.py --binary build/release/tulou --work FOLDER [--model GGUF] [--only NAME]
The real model is fetched by tools/demo_model unless --model (or TULOU_SMOLLM2) gives it.
"""

import argparse
import os
import sys
import time
import traceback

import api
import audit
import bodies
import disk
import endings
import isolation
import leaving
import life
import mutants
import overload
import same
from served import Failure, Work, demo_model


def run(test, argument, only):
    """-> whether it passed."""
    name = test.__name__
    if only and only not in name:
        return True
    begin = time.monotonic()
    try:
        result = test(argument) or "ok"
        passed = True
    except Failure as failure:
        result, passed = f"FAILED: {failure}", False
    except Exception:  # pylint: disable=broad-except
        result, passed = f"FAILED: {traceback.format_exc()}", False
    print(f"{name}: {result} ({time.monotonic() - begin:.1f} s)", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", default=os.environ.get("TULOU_SMOLLM2"))
    parser.add_argument("--only", help="run only tests whose name holds this")
    options = parser.parse_args()
    real = options.model or demo_model()
    work = Work(options.binary, options.work, real)
    with work.server(real, work.tiny, "--context", "2048") as server:
        passed = [run(test, server, options.only) for test in api.TESTS + life.SHARED]
    with work.server(work.tiny, "--context", "512") as server:
        passed += [run(test, server, options.only) for test in bodies.TESTS]
    for module in (life, disk, endings, leaving, audit, same, isolation, overload, mutants):
        passed += [run(test, work, options.only) for test in module.TESTS]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
