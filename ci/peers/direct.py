"""The script a user would write to time all-MiniLM-L6-v2: tokenizers and ONNX Runtime, one thread, batch 1.

    direct.py MODEL_FOLDER TEXTS WARM_UP REQUESTS

Embeds the texts of a file (one per line) over and over: WARM_UP requests that are not timed, then REQUESTS
that are, each from the text to its normalized vector. Prints their median in nanoseconds.
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def main() -> None:
    """Time the requests."""
    folder, texts = Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    warm_up, requests = int(sys.argv[3]), int(sys.argv[4])

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )

    def embed(text: str) -> np.ndarray:
        encoding = tokenizer.encode(text)
        ids = np.array([encoding.ids], dtype=np.int64)
        mask = np.array([encoding.attention_mask], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = session.run(None, feed)
        # A text alone has no padding, so the mean over its tokens is the mean over all there are.
        vector = hidden[0].mean(axis=0)
        return vector / np.linalg.norm(vector)

    times = []
    for number in range(warm_up + requests):
        text = texts[number % len(texts)]
        began = time.perf_counter_ns()
        embed(text)
        took = time.perf_counter_ns() - began
        if number >= warm_up:
            times.append(took)
    times.sort()
    print(times[(len(times) - 1) // 2])


main()
