"""promptfoo against a running server. usage: promptfoo_client.py BASE_URL MODEL TOOL_MODEL

Runs in the folder with its node_modules.
"""

import json
import os
import subprocess
import sys
import tempfile

SCHEMA = {"type": "object", "required": ["city"], "additionalProperties": False,
          "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}}

base, model, _ = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    def provider(label, config):
        return {"id": f"openai:chat:{model}", "label": label,
                "config": {"apiBaseUrl": base, "apiKey": "none", "temperature": 0, **config}}

    answers = {"type": "json_schema",
               "json_schema": {"name": "place", "strict": True, "schema": SCHEMA}}
    config = {
        "prompts": ["What is the capital of {{country}}? One word."],
        "providers": [provider("chat", {"max_tokens": 12}),
                      provider("schema", {"max_tokens": 60, "response_format": answers})],
        "tests": [{"vars": {"country": "France"},
                   "assert": [{"type": "javascript", "value": "output !== ''"}]}]}
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    found = os.path.join(folder, "found.json")
    bins = os.path.join(os.getcwd(), "node_modules", ".bin")
    result = subprocess.run(
        [os.path.join(bins, "node"), os.path.join(bins, "promptfoo"), "eval", "--no-cache",
         "--no-progress-bar", "-c", os.path.join(folder, "config.json"), "-o", found],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
        env={**os.environ, "PROMPTFOO_CONFIG_DIR": folder, "PROMPTFOO_DISABLE_TELEMETRY": "1",
             "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1"})
    assert os.path.exists(found), result.stdout + result.stderr
    with open(found, encoding="utf-8") as file:
        rows = {row["provider"]["label"]: row for row in json.load(file)["results"]["results"]}
assert rows["chat"]["success"] and rows["chat"]["response"]["output"], rows["chat"]
print("chat: ok")
place = rows["schema"]["response"]["output"]
assert (json.loads(place) if isinstance(place, str) else place)["city"] in ("Paris", "Rome"), place
print("schema: ok")
