"""Qwen Code without a terminal against a running server. usage: qwen_code.py BASE_URL MODEL
TOOL_MODEL

Runs in the folder with its node_modules. Its prompts are long: the model is the second one, which
must be served with a context for them. Its second question goes on from the first one's state.
"""

import json
import os
import subprocess
import sys
import tempfile

base, _, model = sys.argv[1:]
bins = os.path.join(os.getcwd(), "node_modules", ".bin")
with tempfile.TemporaryDirectory() as folder:
    def ask(question, *arguments):
        result = subprocess.run(
            [os.path.join(bins, "node"), os.path.join(bins, "qwen"), "--auth-type", "openai", "-m",
             model, "-o", "json", "--max-session-turns", "1", *arguments, question],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=folder,
            timeout=600, env={**os.environ, "HOME": folder, "OPENAI_API_KEY": "none",
                              "OPENAI_BASE_URL": base, "OPENAI_MODEL": model})
        assert result.returncode == 0, result.stdout + result.stderr
        last = json.loads(result.stdout)[-1]
        assert last["type"] == "result" and not last["is_error"], last
        used = last["stats"]["models"][model]["tokens"]
        return used.get("bySource", {"main": used})["main"]

    first = ask("Say hello.")
    assert first["prompt"] > 10000 and first["candidates"] > 0, first
    print("chat with tools: ok")
    second = ask("And once more.", "--continue")
    # The session's figures: both questions together.
    assert second["cached"] > 0.9 * (second["prompt"] - first["prompt"]), (first, second)
    print("second question from the cache: ok")
