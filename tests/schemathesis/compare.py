"""The requests of the campaign `schemathesis`, as many as fit into a minute.

usage: compare.py --binary build/release/tulou --work FOLDER
schemathesis comes from the Python package index into build/campaign.
"""

import argparse
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    options = parser.parse_args()
    script = os.path.join(TOP, "tests", "campaign", "schemathesis")
    return subprocess.run([sys.executable, script, "1000"], check=False, env={
        **os.environ, "TULOU": os.path.abspath(options.binary)}).returncode


if __name__ == "__main__":
    sys.exit(main())
