"""The program `llm` against a running server. usage: llm_client.py BASE_URL MODEL TOOL_MODEL"""

import os
import subprocess
import sys
import tempfile

base, model, _ = sys.argv[1:]
question = "What is the capital of France? One word."
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "extra-openai-models.yaml"), "w", encoding="utf-8") as file:
        file.write(f"- model_id: local\n  model_name: {model}\n  api_base: {base}\n"
                   "  supports_schema: true\n")

    def ask(*arguments):
        result = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "llm"), "-m", "local", *arguments,
             question], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "LLM_USER_PATH": folder, "OPENAI_API_KEY": "none"})
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    few = ("-o", "temperature", "0", "-o", "max_tokens", "12")
    text = ask(*few, "--no-stream")
    assert text
    print("chat: ok")
    assert ask(*few) == text
    print("stream: ok")
    assert '"city"' in ask("--schema", '{"type": "object", "required": ["city"], "properties": '
                           '{"city": {"type": "string", "enum": ["Paris", "Rome"]}}}')
    print("schema: ok")
