"""KL divergence between llama.cpp's and Tulou's logits on the golden cases written as F32 GGUF.

usage: golden.py TULOU PEER LIBRARIES WORK_FOLDER
"""

import os
import subprocess
import sys

import numpy as np

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tests", "golden"))
import compare  # noqa: E402

LIMIT = 1e-3


def peer_logits(peer, libraries, model, ids, work, width):
    """llama.cpp's logits of all positions, in full precision."""
    ids_path, out_path = os.path.join(work, "ids.txt"), os.path.join(work, "peer.f32")
    with open(ids_path, "w", encoding="ascii") as file:
        file.write(" ".join(map(str, ids)))
    subprocess.run([peer, "logits", libraries, model, ids_path, out_path, "auto"], check=True,
                   capture_output=True)
    return np.fromfile(out_path, np.float32).reshape(len(ids), width)


def main():
    tulou, peer, libraries, work = sys.argv[1:]
    os.makedirs(work, exist_ok=True)
    program, failed, total = compare.Program(tulou, work), 0, 0
    print("Mean KL divergence (nats) from llama.cpp's logits to ours, F32 GGUF, every position of "
          f"the prompt; limit {LIMIT:g}.\n")
    print("| case | KL, exact | KL, default | largest difference, exact | largest difference of "
          "llama.cpp from the reference |\n|---|---|---|---|---|")
    for name in sorted(os.listdir(compare.CASES)):
        case = compare.Case(name)
        if case.kind != "text":
            continue
        ids, wanted = case.expected["prompt"]["ids"], case.tensors["logits"]
        for form, model in compare.forms_of(case, work):
            if form == "folder":
                continue
            theirs = peer_logits(peer, libraries, model, ids, work, wanted.shape[1])
            ours = program.logits(model, ids)
            default = program.logits(model, ids, "--precision", "default")
            kl, kl_default = (compare.kl_divergence(theirs, x) for x in (ours, default))
            total += 1
            failed += not kl < LIMIT
            print(f"| {name}, {form} | {kl:.1e} | {kl_default:.1e} | "
                  f"{np.abs(theirs - ours).max():.1e} | {np.abs(theirs - wanted).max():.1e} |",
                  flush=True)
    print(f"\n{total - failed} passed, {failed} failed")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
