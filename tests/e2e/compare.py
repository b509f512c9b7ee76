"""Runs the program as users and scripts do: every command, exit codes, errors, signals.

usage: compare.py --binary build/release/tulou --work FOLDER [--model GGUF]
Needs numpy. The real model is fetched by tools/demo_model unless --model (or TULOU_SMOLLM2) gives
it.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

import numpy as np
from fixtures import GOLDEN, TOP, Failure, Program, Terminal, check, make_model, write
from serving import test_keys, test_serve_usage, test_server, test_server_needs_room


def test_overview(p, _):
    out, _ = p.call("--help")
    for word in (b"run", b"chat", b"inspect", b"perplexity", b"Examples:"):
        check(word in out, f"{word} is not in --help")
    check(p.call("--version")[0].startswith(b"tulou "), "no version")
    for command in ("run", "chat", "inspect", "tokenize", "detokenize", "render", "logits",
                    "generate", "embed", "perplexity", "bench", "keys", "serve", "ps", "stop"):
        check(b"xample" in p.call(command, "--help")[0], f"no example in {command} --help")


def test_usage_errors(p, w):
    p.fails(2, says=["no command"])
    p.fails(2, "rnu", says=["rnu", "run"])
    p.fails(2, "--versoin", says=["--version"])
    p.fails(2, "run", w.model, "x", "--temprature", "1", says=["--temprature", "--temperature"])
    p.fails(2, "run", w.model, "x", "--top-p=1,5", says=["--top-p", "1,5"])
    p.fails(2, "run", w.model, "x", "--top-p", "2", says=["top_p", "0 to 1"])
    p.fails(2, "run", w.model, "x", "--threads", "0", says=["--threads"])
    p.fails(2, "run", w.model, "x", "--stop", "", says=["stop"])
    p.fails(2, "run", w.model, "two", "words", says=["words"])
    p.fails(2, "run", says=["MODEL"])
    p.fails(2, "run", w.model, stdin=b"", says=["prompt"])
    p.fails(2, "run", w.model, "x", "--isa", "sse9", says=["sse9", "portable"])
    p.fails(2, "run", w.model, "x", TULOU_THREADS="many", says=["TULOU_THREADS", "many"])


def test_bad_input(p, w):
    p.fails(1, "run", w.model, "x", "--isa", "portable", "--prefill", "bf16",
            says=["needs AMX", "portable"])
    p.fails(1, "run", os.path.join(w.work, "nothing"), "x", says=["nothing"])
    p.fails(1, "run", "qwen3.5", "x", says=["qwen3.5", "path"])
    empty = os.path.join(w.work, "empty")
    os.makedirs(empty, exist_ok=True)
    p.fails(1, "inspect", empty, says=["config.json"])
    strange = make_model(os.path.join(w.work, "strange"))
    config = json.load(open(os.path.join(strange, "config.json")))
    config.update(model_type="bert", architectures=["BertModel"])
    write(os.path.join(strange, "config.json"), json.dumps(config))
    p.fails(1, "run", strange, "x", says=["bert", "qwen3_5"])
    corrupt = make_model(os.path.join(w.work, "corrupt"))
    shard = next(f for f in sorted(os.listdir(corrupt)) if f.endswith(".safetensors"))
    path = os.path.join(corrupt, shard)
    os.truncate(path, os.path.getsize(path) - 100)
    p.fails(1, "run", corrupt, "x", says=[shard])
    p.fails(1, "run", w.model, "long " * 60, "--context", "128", says=["128"])
    p.fails(1, "run", w.model, "x", "--context", "1000000", says=["1000000", "40960"])
    p.fails(1, "run", w.model, b"caf\xe9".decode("latin-1").encode("latin-1").decode(
        "utf-8", "surrogateescape"), says=["byte 3", "--lossy"])
    p.fails(1, "tokenize", w.model, stdin=b"ab\xffcd", says=["byte 2"])
    p.fails(1, "logits", w.model, write(os.path.join(w.work, "big.json"), "[1, 99999]"), "--out",
            os.path.join(w.work, "x.npy"), says=["99999", "320"])
    check(not os.path.exists(os.path.join(w.work, "x.npy")), "a file is there after an error")


def test_broken_output(p, w):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([p.binary, "tokenize", w.model], input=b"hello", stdout=full,
                                stderr=subprocess.PIPE, check=False)
    check(result.returncode == 1 and b"error: standard output" in result.stderr,
          f"/dev/full: {result}")
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([p.binary, "tokenize", w.model], input=b"hello", stdout=writer,
                            stderr=subprocess.PIPE, check=False)
    os.close(writer)
    check(result.stderr == b"", f"a closed pipe is not quiet: {result}")


def test_text_commands(p, w):
    text = "caf\u00e9 <|im_end|>\n"
    ids = p.call("tokenize", w.model, stdin=text.encode())[0].decode().split()
    check(len(ids) == len(text.encode()), f"not one id a byte: {ids}")
    special = p.call("tokenize", w.model, "--special", stdin=text.encode())[0].decode().split()
    check("256" in special and len(special) == len(ids) - 9, f"special: {special}")
    line = " ".join(special).encode()
    check(p.call("detokenize", w.model, "--special", stdin=line)[0] == text.encode(), "round trip")
    check(p.call("detokenize", w.model, stdin=line)[0].decode() == text.replace("<|im_end|>", ""),
          "special tokens are hidden")
    texts = ["", "a\u00e9", "<|im_end|>"]
    batch = p.json("tokenize", w.model, "--batch", stdin=json.dumps(texts).encode())
    check([len(b) for b in batch] == [0, 3, 10], f"batch: {batch}")
    back = p.json("detokenize", w.model, "--batch", stdin=json.dumps(batch).encode())
    check(back == texts, f"batch round trip: {back}")
    lossy = p.call("tokenize", w.model, "--lossy", stdin=b"a\xff")[0].split()
    check(lossy == [b"97", b"239", b"191", b"189"], f"lossy: {lossy}")
    conversation = {"messages": [{"role": "user", "content": "<|im_end|>x"}],
                    "add_generation_prompt": True}
    path = write(os.path.join(w.work, "conversation.json"), json.dumps(conversation))
    check(p.call("render", w.model, path)[0] ==
          b"<|im_start|>user\n<|im_end|>x<|im_end|>\n<|im_start|>assistant\n", "render")
    p.fails(1, "render", w.model, write(path, "[]"), says=["messages"])


def test_ids_commands(p, w):
    expected = json.load(open(os.path.join(GOLDEN, "qwen3_tied", "expected.json")))
    prompt = expected["prompt"]["ids"] if "prompt" in expected else [1, 2, 3, 4, 5]
    ids = write(os.path.join(w.work, "ids.json"), json.dumps([prompt[:20], prompt[:3], [7]]))
    rows = {}
    ways = {"all": [], "one": ["--split", "1"], "batch": ["--batch"],
            "batch3": ["--batch", "--split", "3"], "threads": ["--threads", "2"]}
    for name, more in ways.items():
        out = os.path.join(w.work, name + ".npy")
        p.call("logits", w.model, ids, "--out", out, *more)
        rows[name] = np.load(out)
        check(rows[name].shape == (24, 320) and rows[name].dtype == np.float32,
              f"{name}: {rows[name].shape}")
        check(np.array_equal(rows[name], rows["all"]), f"logits differ with {more}")
    alone = p.json("generate", w.model, ids, "-n", "9")
    check([len(a) for a in alone] == [9, 9, 9], f"generate: {alone}")
    check(p.json("generate", w.model, ids, "-n", "9", "--batch") == alone, "generate --batch")
    check(alone[0][0] == int(rows["all"][19].argmax()), "generate is not the best token")
    flat = write(os.path.join(w.work, "flat.json"), json.dumps(prompt[:3]))
    check(p.json("generate", w.model, flat, "-n", "2") == alone[1][:2], "form of the input")
    out = os.path.join(w.work, "embedding.npy")
    p.call("embed", w.model, ids, "--out", out)
    whole = np.load(out)
    check(np.allclose((whole ** 2).sum(1), 1, atol=1e-5), "not of length 1")
    p.call("embed", w.model, ids, "--out", out, "--dimensions", "8")
    part = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
    check(np.allclose(np.load(out), part, atol=1e-6), "--dimensions")
    p.fails(2, "embed", w.model, ids, "--out", out, "--dimensions", "100000")


def test_run(p, w):
    common = ["--temperature", "0", "-n", "12"]
    answer = p.json("run", w.model, "Hello", "--json", *common)
    for key in ("text", "reasoning", "finish_reason", "prompt_tokens", "generated_tokens",
                "sampling", "context"):
        check(key in answer, f"{key} is not in {answer}")
    by_file = write(os.path.join(w.work, "prompt.txt"), "Hello\n")
    for more in (["-f", by_file], ["-"], []):
        again = p.json("run", w.model, *more, "--json", *common, stdin=b"Hello\n")
        check(again["text"] == answer["text"], f"another answer with {more}")
    for env in ({"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}, {"LC_ALL": "C"}):
        again = p.json("run", w.model, "Hello", "--json", "--top-p", "0.5", *common, **env)
        check(again["text"] == answer["text"] and again["sampling"]["top_p"] == 0.5, f"{env}")
    warm = ["--temperature", "1.5", "-n", "30", "--json"]
    one, two = (p.json("run", w.model, "Hello", "--seed", "5", *warm) for _ in range(2))
    check(one["text"] == two["text"], "the same seed gave another answer")
    other = p.json("run", w.model, "Hello", "--seed", "6", *warm)
    check(other["text"] != one["text"], "another seed gave the same answer")
    # Bytes of random answers are control characters as well: none reaches the terminal.
    out = b"".join(
        p.call("run", w.model, "Hello", "--temperature", "9", "--top-k", "0", "--top-p", "1",
               "--min-p", "0", "--seed", str(seed))[0] for seed in range(8))
    bad = [b for b in out if (b < 32 and b not in (9, 10)) or b == 127]
    check(not bad, f"control characters were sent: {bad}")
    check(b"\\x" in out, "the test wants a control character in the answer")
    raw = p.json("run", w.model, "--raw", "<|im_start|>", "--json", *common)
    check(raw["prompt_tokens"] == 1, f"--raw: {raw}")
    plain = make_model(os.path.join(w.work, "plain"))
    os.remove(os.path.join(plain, "chat_template.jinja"))
    p.fails(1, "run", plain, "x", says=["template", "--raw"])


def test_odd_prompts(p, w):
    """Prompts that look like something else are prompts."""
    for words in (["chat"], ["--", "-x"], ["[a,b]"], ["- item"], ["--", "--help"]):
        answer = p.json("run", w.model, "--json", "-n", "2", "--temperature", "0", *words)
        length = len(words[-1]) + len("user\n\nassistant\n") + 3
        check(answer["prompt_tokens"] == length, f"{words}: {answer}")
    result = subprocess.run(["sh", "-c", '"$0" run "$1" Hello --temperature 9 -n 3000 | head -c 1',
                             p.binary, w.model], capture_output=True, check=False, timeout=120)
    check(result.stderr == b"", f"a reader that goes away: {result}")


def test_inspect(p, w):
    report = p.json("inspect", w.model, "--json")
    check(report["family"] == "qwen3" and report["tokenizer"]["tokens"] == 259, f"{report}")
    check(b"tensors" in p.call("inspect", w.model)[0], "inspect")
    kernels = p.json("inspect", "--kernels", "--json")
    check(kernels["chosen"] in kernels["available"], f"{kernels}")
    forced = p.json("inspect", "--kernels", "--json", TULOU_ISA="portable")
    check(forced["chosen"] == "portable", f"{forced}")


def test_configuration(p, w):
    folder = os.path.join(w.work, "config")
    os.makedirs(os.path.join(folder, "tulou"), exist_ok=True)
    path = write(os.path.join(folder, "tulou", "config.toml"), 'isa = "portable"\n')
    report = p.json("inspect", "--kernels", "--json", XDG_CONFIG_HOME=folder)
    check(report["chosen"] == "portable", f"{report}")
    write(path, "thread = 2\n")
    p.fails(2, "inspect", "--kernels", says=["thread", "threads"], XDG_CONFIG_HOME=folder)


def test_perplexity(p, w):
    text = write(os.path.join(w.work, "text.txt"), "The quick brown fox jumps over the dog. " * 20)
    saved = os.path.join(w.work, "saved.bin")
    args = ["perplexity", w.model, text, "--context", "64", "--json"]
    first = p.json(*args, "--save-logits", saved)
    check(first["perplexity"] > 1 and first["positions"] == 787, f"{first}")
    ids = list(map(int, p.call("tokenize", w.model, text)[0].split()))
    path = write(os.path.join(w.work, "w.json"), json.dumps(ids[:64]))
    out = os.path.join(w.work, "w.npy")
    p.call("logits", w.model, path, "--out", out)
    rows = np.load(out).astype(np.float64)
    log_p = rows - np.log(np.exp(rows - rows.max(1, keepdims=True)).sum(1, keepdims=True)) \
        - rows.max(1, keepdims=True)
    nll = -log_p[np.arange(63), ids[1:64]].mean()
    write(text, bytes(ids[:64]))
    short = p.json(*args, "--precision", "exact")
    check(abs(short["mean_nll"] - nll) < 1e-5, f"{short['mean_nll']} is not {nll}")
    write(text, bytes(ids))
    same = p.json(*args, "--against", saved)
    check(abs(same["mean_kl"]) < 1e-6 and same["same_top"] == 1, f"{same}")
    p.fails(1, *args[:3], "--against", saved, says=["--context"])


def test_bench(p, w):
    out, errors = p.call("bench", w.model, "-p", "20", "-n", "4", "--depth", "0,70", "--batch",
                         "1,3", "--repeat", "2")
    lines = out.decode().splitlines()
    names = ["prefill 20", "decode 4", "decode 4, 3 sequences", "decode 4 at depth 70",
             "decode 4 at depth 70, 3 sequences"]
    check([line.split(":")[0] for line in lines] == names, f"{lines}")
    check(all(re.search(r" [0-9]+\.[0-9] tok/s$", line) for line in lines), f"{lines}")
    for text in ("peak memory", "memory bandwidth", "weights: attention", "of the bandwidth"):
        check(text in errors, f"{text} is not in {errors}")
    check([line.split(":")[0] for line in p.call("bench", w.model, "-p", "0", "-n", "3")[0]
           .decode().splitlines()] == ["decode 3"], "-p 0")
    check([line.split(":")[0] for line in p.call("bench", w.model, "-p", "9", "-n", "0")[0]
           .decode().splitlines()] == ["prefill 9"], "-n 0")
    picture = os.path.join(w.work, "bench.svg")
    report = p.json("bench", w.model, "-p", "8", "-n", "2", "--repeat", "3", "--json", "--svg",
                    picture, "--threads", "2", "--isa", "portable")
    check((report["level"], report["threads"], report["family"]) == ("portable", 2, "qwen3"),
          f"{report}")
    for measured in report["measurements"]:
        speeds = sorted(s["tokens_per_second"] for s in measured["samples"])
        spread = measured["tokens_per_second"]
        check([spread["min"], spread["median"], spread["max"]] == speeds, f"{measured}")
    decode = report["measurements"][1]
    moved = sum(g["bytes_per_token"] for g in report["weights"]) \
        + 2 * report["state_bytes"] + report["cache_bytes_per_token"]
    check(decode["bytes_per_token"] == moved, f"{decode['bytes_per_token']} is not {moved}")
    share = moved * decode["tokens_per_second"]["median"] / report["bandwidth_bytes_per_second"]
    check(abs(decode["bandwidth_share"] / share - 1) < 1e-6, f"{report}")
    check(0 < report["load_seconds"] < report["first_token_seconds"], f"{report}")
    root = xml.etree.ElementTree.parse(picture).getroot()
    bars = [e for e in root.iter() if e.get("class") == "bar"]
    check(root.tag.endswith("svg") and len(bars) == 2, f"{len(bars)} bars in the picture")
    for case in ("qwen3_5_moe", "qwen3_embedding"):  # neither has a tokenizer
        model = os.path.join(GOLDEN, case, "model")
        check(len(p.call("bench", model, "-p", "8", "-n", "2", "--repeat", "1")[0]
                  .splitlines()) == 2, case)


def test_bench_errors(p, w):
    p.fails(2, "bench", w.model, "-p", "0", "-n", "0", says=["-p 0 and -n 0"])
    p.fails(2, "bench", w.model, "-p", "x", says=["-p", "x"])
    p.fails(2, "bench", w.model, "-p", "-1", says=["-p"])
    p.fails(2, "bench", w.model, "--depth", "1,,2", says=["--depth"])
    p.fails(2, "bench", w.model, "--batch", "0", says=["--batch", "1 to 256"])
    p.fails(2, "bench", w.model, "--batch", "257", says=["--batch", "1 to 256"])
    p.fails(2, "bench", w.model, "--repeat", "1001", says=["--repeat", "1 to 1000"])
    p.fails(2, "bench", w.model, "-p", "99", "--context", "64", says=["-p", "99", "at most 64"])
    p.fails(2, "bench", w.model, "-p", "0", "-n", "65", "--context", "64", says=["-n", "65"])
    p.fails(2, "bench", w.model, "-p", "0", "-n", "5", "--depth", "60", "--context", "64",
            says=["--depth", "60", "at most 59"])
    p.fails(1, "bench", os.path.join(w.work, "nothing"), says=["nothing"])
    svg = os.path.join(w.work, "no", "such", "folder.svg")
    check(p.fails(1, "bench", w.model, "--svg", svg, says=["folder.svg"]) == b"", "no early error")


def test_bench_interrupt(p, w):
    process = subprocess.Popen([p.binary, "bench", w.real, "-p", "0", "-n", "2000", "--repeat",
                                "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=p.environment())
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    check(process.returncode == 130 and out == b"", f"{process.returncode}: {out} {errors}")


def test_interrupt(p, w):
    """Ctrl-C in the middle of an answer ends run with 130; what was written stays."""
    process = subprocess.Popen([p.binary, "run", w.model, "Hello", "--context", "40000"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=p.environment())
    check(process.stdout.read(1) != b"", "no answer")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    check(process.returncode == 130, f"exit code {process.returncode}: {errors}")


def test_chat_script(p, w):
    saved = os.path.join(w.work, "chat.json")
    script = (f'Hello\n"""\nmany\n/lines\n"""\n/system Be brief.\n/set temprature 1\n'
              f'/set temperature 0\n/save {saved}\n/clear\n/load {saved}\n/nonsense\n/quit\nno\n')
    out, errors = p.call("chat", w.model, "-n", "4", "--temperature", "0", stdin=script.encode())
    for text in ("did you mean temperature?", "saved 4 messages", "loaded 4 messages",
                 "the conversation is forgotten", "\"/nonsense\" is not a command",
                 "temperature is 0"):
        check(text in errors, f"\"{text}\" is not in {errors}")
    conversation = json.load(open(saved))
    messages = conversation["messages"]
    check([m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant"],
          f"{messages}")
    check(messages[3]["content"] == "many\n/lines", f"{messages[3]}")
    check(errors.count("tokens; prompt") + errors.count("tokens/s; prompt") == 2, errors)
    check(out != b"", "no answer")


def test_chat_terminal(p, w):
    t = Terminal(p, "chat", w.real, "-n", "400")
    t.read_until("> ")
    t.send("one two three " * 400 + "\r")  # a prefill of a second or more
    t.read_until("\r\n", 30)
    t.send("\x03")
    text = t.read_until("]", 30)
    check("stopped" in text, f"the prefill was not stopped: {text!r}")
    t.read_until("> ")
    t.send("Tell me a long story about the sea.\r")
    t.read_until("sea.\r\n")
    t.read_until(" ")  # the answer has begun
    t.send("\x03")
    check("stopped" in t.read_until("]", 30), "the answer was not stopped")
    t.read_until("> ")
    t.send("half a line")
    t.read_until("half a line")
    t.send("\x03")
    t.read_until("> ")
    t.send("/quti\r")
    t.read_until("did you mean /quit?")
    t.read_until("> ")
    t.send("\x03")
    t.read_until("Ctrl-C again")
    t.read_until("> ")
    t.send("\x04")
    check(t.wait() == 0, "Ctrl-D does not end the chat")


def test_real_model(p, w):
    answer = p.json("run", w.real, "Explain in a few sentences why the sky is blue.", "--json",
                    "--temperature", "0", "-n", "24")
    check("blue" in answer["text"], f"{answer}")
    check(p.json("inspect", w.real, "--json")["family"] == "llama", "inspect")
    stopped = p.json("run", w.real, "Count from one to nine.", "--json", "--temperature", "0",
                     "-n", "60", "--stop", "e")
    check("e" not in stopped["text"] and stopped["finish_reason"] == "stop", f"{stopped}")


TESTS = [test_overview, test_usage_errors, test_bad_input, test_broken_output, test_text_commands,
         test_ids_commands, test_run, test_odd_prompts,
         test_inspect, test_keys, test_serve_usage, test_server, test_server_needs_room,
         test_configuration, test_perplexity,
         test_bench, test_bench_errors, test_bench_interrupt,
         test_interrupt, test_chat_script, test_chat_terminal, test_real_model]


class Work:
    """Where things lie."""

    def __init__(self, work, real):
        self.work, self.real = os.path.abspath(work), real
        os.makedirs(self.work, exist_ok=True)
        self.model = make_model(os.path.join(self.work, "model"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", default=os.environ.get("TULOU_SMOLLM2"))
    parser.add_argument("--only", help="run only tests whose name holds this")
    options = parser.parse_args()
    real = options.model or subprocess.run([os.path.join(TOP, "tools", "demo_model")], check=True,
                                           stdout=subprocess.PIPE, text=True).stdout.strip()
    program, work = Program(options.binary), Work(options.work, real)
    failed = 0
    for test in TESTS:
        if options.only and options.only not in test.__name__:
            continue
        begin = time.monotonic()
        try:
            test(program, work)
            result = "ok"
        except Failure as failure:
            failed += 1
            result = f"FAILED: {failure}"
        print(f"{test.__name__}: {result} ({time.monotonic() - begin:.1f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
