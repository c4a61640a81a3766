"""Five repositories of the model hub with random weights, in the layouts of five that people deploy.

`python ci/models/hub.py FOLDER` makes them, each in a folder of its name, and beside them what
`SentenceTransformer(folder).encode` answers. `python ci/models/hub.py FOLDER --compare STORE` compares this
with the reference vectors of what tailmark fetched and made, and prints the smallest cosine of each.
"""

import argparse
import base64
import json
import os
import shutil
from pathlib import Path

import numpy as np

EXPECTED = "expected.json"
COMPARED_TEXTS = 8
SHARD = "300KB"
OTHER_GRAPHS = ("model_O1", "model_O4", "model_qint8_arm64", "model_quint8_avx2")
NOT_A_MODELS = ("tf_model.h5", "rust_model.ot", "openvino/openvino_model.bin", "train_script.py")
"""What lies in repositories and no backend reads."""


def minilm(folder: Path) -> None:
    """sentence-transformers/all-MiniLM-L6-v2: every form of weights, graphs for several processors."""
    from graphs import USUAL, trace
    from weights import plain

    plain(folder)
    trace(folder)
    for name in OTHER_GRAPHS:
        shutil.copyfile(folder / USUAL, folder / f"onnx/{name}.onnx")
    (folder / "openvino").mkdir()
    for name in NOT_A_MODELS:
        (folder / name).write_bytes(b"not a model's")


def bge(folder: Path) -> None:
    """BAAI/bge-small-en-v1.5: the first token, weights in both forms, one graph."""
    import torch
    import transformers
    from graphs import trace
    from networks import bert, save
    from words import word_piece

    words = word_piece()
    save(folder, bert(words), words, "cls")
    trace(folder)
    torch.save(transformers.AutoModel.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")


def e5(folder: Path) -> None:
    """intfloat/e5-mistral-7b-instruct: shards, prompts, an adapter beside them, and no graph."""
    from networks import settle
    from weights import weights_sharded

    weights_sharded(folder)
    settle(folder / "config_sentence_transformers.json", {"prompts": {"query": "the query: ", "passage": ""}})
    (folder / "lora").mkdir()
    (folder / "lora" / "adapter_model.bin").write_bytes(b"not a model's")


def onnx_community(folder: Path) -> None:
    """onnx-community's: graphs with their numbers beside them, no modules.json and no other weights."""
    import onnx
    from graphs import MODULES, USUAL, quantize, trace
    from weights import WEIGHTS, plain

    plain(folder)
    trace(folder)
    quantize(folder)
    graph = onnx.load(str(folder / USUAL))
    (folder / USUAL).unlink()
    onnx.save(graph, str(folder / USUAL), save_as_external_data=True, location="model.onnx_data")
    shutil.copytree(folder, folder.with_name(f"{folder.name}-whole"))
    for name in (*MODULES, WEIGHTS):
        (folder / name).unlink(missing_ok=True)
    for name in ("1_Pooling", "2_Normalize"):
        shutil.rmtree(folder / name)


def qwen3(folder: Path) -> None:
    """Qwen/Qwen3-Embedding-0.6B: a decoder, the last token, an instruction for queries, and no graph."""
    from encoders import qwen3_last_token

    qwen3_last_token(folder)
    for name in ("vocab.json", "merges.txt", "generation_config.json"):
        (folder / name).write_text("{}", encoding="utf-8")


LAYOUTS = (minilm, bge, e5, onnx_community, qwen3)


def reference_texts() -> list[str]:
    """The first of the texts whose vectors a model's reference has."""
    data = Path(__file__).resolve().parents[2] / "python" / "src" / "tailmark_worker" / "data"
    texts = json.loads((data / "reference_texts.json").read_text(encoding="utf-8"))
    return [str(text) for text in texts if str(text).strip()][:COMPARED_TEXTS]


def make(folder: Path) -> None:
    """Make the repositories, and what the library answers for each."""
    from sentence_transformers import SentenceTransformer

    folder.mkdir(parents=True)
    expected = {}
    for layout in LAYOUTS:
        name = layout.__name__
        layout(folder / name)
        whole = folder / f"{name}-whole"
        encoder = SentenceTransformer(str(whole if whole.is_dir() else folder / name), device="cpu")
        expected[name] = encoder.encode(reference_texts(), normalize_embeddings=True).tolist()
        shutil.rmtree(whole, ignore_errors=True)
    (folder / EXPECTED).write_text(json.dumps(expected), encoding="utf-8")


def compare(folder: Path, store: Path) -> None:
    """Print, for each repository that is in the store, the smallest cosine to what the library answers."""
    texts = reference_texts()
    for name, vectors in json.loads((folder / EXPECTED).read_text(encoding="utf-8")).items():
        for path in store.glob(f"hub--someone--{name}/*/reference.json"):
            reference = json.loads(path.read_text(encoding="utf-8"))
            kept = dict(zip(reference["texts"], reference["vectors"], strict=True))
            found = np.array([np.frombuffer(base64.b64decode(kept[text]), "<f4") for text in texts])
            cosines = (found * np.array(vectors)).sum(axis=1) / np.linalg.norm(found, axis=1)
            print(name, f"{cosines.min():.6f}")


def main() -> None:
    """Make or compare, as it was typed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare", type=Path, metavar="STORE")
    given = parser.parse_args()
    if given.compare is not None:
        compare(given.folder, given.compare)
        return
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    make(given.folder)


if __name__ == "__main__":
    main()
