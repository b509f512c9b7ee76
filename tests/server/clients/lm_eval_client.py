"""lm-eval (local-completions) against a running server: loglikelihood and generation on a small
task of this file's own. usage: lm_eval_client.py BASE_URL MODEL TOOL_MODEL"""

import json
import os
import subprocess
import sys
import tempfile

CHOICE = """task: capitals
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: multiple_choice
doc_to_text: "The capital of {{country}} is"
doc_to_choice: ["Paris", "Rome"]
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}]
"""
WRITTEN = """task: capitals_written
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: generate_until
doc_to_text: "The capital of France is Paris. The capital of {{country}} is"
doc_to_target: "{{city}}"
generation_kwargs: {until: ["."], max_gen_toks: 8, temperature: 0}
metric_list: [{metric: exact_match, ignore_case: true}]
"""

base, model, _ = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    data = os.path.join(folder, "data.jsonl")
    with open(data, "w", encoding="utf-8") as file:
        for answer, (country, city) in enumerate((("France", "Paris"), ("Italy", "Rome"))):
            file.write(json.dumps({"country": country, "city": city, "answer": answer}) + "\n")
    for name, text in (("choice", CHOICE), ("written", WRITTEN)):
        with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as file:
            file.write(text.replace("DATA", data))
    result = subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", "--model", "local-completions", "--tasks",
         "capitals,capitals_written", "--include_path", folder, "--output_path", folder,
         "--log_samples", "--model_args", f"model={model},base_url={base}/completions,"
         "num_concurrent=2,tokenizer_backend=remote,max_retries=1"],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "HF_HOME": folder, "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none"})
    assert result.returncode == 0, result.stdout + result.stderr
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            if name.startswith("samples_"):
                with open(os.path.join(where, name), encoding="utf-8") as file:
                    rows = [json.loads(line) for line in file]
                found["written" if "written" in name else "choice"] = rows
assert [row["acc"] for row in found["choice"]] == [1, 1], found
for row in found["choice"]:
    assert all(float(answer[0][0]) < 0 for answer in row["resps"]), row
print("loglikelihood: ok")
assert len(found["written"]) == 2 and all(row["resps"][0][0].strip() for row in found["written"])
print("generation: ok")
