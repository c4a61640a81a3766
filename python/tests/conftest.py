"""What several tests need: a worker process, model folders that need no download, the real one if given."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PYTHON_FOLDER = Path(__file__).resolve().parents[1]
SOURCE = PYTHON_FOLDER / "src"
PROVIDERS = PYTHON_FOLDER.parent / "providers"
COMMITTED_MODEL = PROVIDERS / "models" / "all-MiniLM-L6-v2"

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

DEADLINE = 120.0
"""Seconds after which a worker that hangs fails its test. Not a measure of anything."""

Message = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """A conversation that is over."""

    answers: list[Message]
    stderr: str
    status: int


def environment(*first_on_path: Path) -> dict[str, str]:
    """The environment of a worker; the given folders are searched for modules before this package."""
    path = os.pathsep.join(str(folder) for folder in (*first_on_path, SOURCE))
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}


def command(*arguments: str) -> list[str]:
    """A command of the package, run by the interpreter that runs the tests."""
    return [sys.executable, "-m", "tailmark_worker", *arguments]


def request(number: int, method: str, **params: object) -> Message:
    """A request; without params there is no such member."""
    message: Message = {"jsonrpc": "2.0", "id": number, "method": method}
    return {**message, "params": params} if params else message


def initialize(number: int = 1) -> Message:
    """The first message of every conversation."""
    return request(number, "initialize", protocol=2, client={"name": "test", "version": "0"})


def converse(
    kind: str, lines: Iterable[Message | str], *first_on_path: Path, interpreter: str = sys.executable
) -> Finished:
    """Send all lines to a fresh worker, end its input, and collect what it said."""
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    done = subprocess.run(
        [interpreter, *command(kind)[1:]],
        input=text.encode(),
        capture_output=True,
        timeout=DEADLINE,
        env=environment(*first_on_path),
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return Finished(answers, done.stderr.decode(errors="replace"), done.returncode)


def recipe(max_tokens: int, *modules: Message, mode: str = "mean", **more: object) -> Message:
    """A recipe as it travels: a pooling, and the modules that come after it."""
    head = [{"module": "pooling", "mode": mode}, *modules]
    return {"max_tokens": max_tokens, "head": head, **more}


def model_in(folder: Path, max_tokens: int, *modules: Message, mode: str = "mean", **more: object) -> Any:
    """A model folder as a backend takes it."""
    from tailmark_worker.backend import ModelFolder
    from tailmark_worker.recipe import read_recipe

    return ModelFolder(folder, read_recipe(recipe(max_tokens, *modules, mode=mode, **more)))


def write_manifest(folder: Path, described: Message) -> None:
    """As much of a manifest as the tools read."""
    (folder / "tailmark-model.json").write_text(json.dumps({"recipe": described}))


def write_tokenizer(folder: Path, words: Iterable[str] = (), fixed_padding: int | None = None) -> list[str]:
    """Write a `tokenizer.json` of whole words with [CLS] and [SEP]; returns its vocabulary."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]
    tokenizer = Tokenizer(
        WordLevel({word: index for index, word in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    if fixed_padding is not None:
        tokenizer.enable_padding(length=fixed_padding)
        tokenizer.enable_truncation(fixed_padding)
    tokenizer.save(str(folder / "tokenizer.json"))
    return vocabulary


@pytest.fixture
def zero_model(tmp_path: Path) -> Path:
    """The committed graph over weights that are all zero: onnxruntime runs it, and every vector is zero."""
    folder = tmp_path / "zero-model"
    folder.mkdir()
    write_tokenizer(folder, ["a", "man", "is", "eating", "food"], fixed_padding=8)
    (folder / "model.onnx").write_bytes((COMMITTED_MODEL / "model.onnx").read_bytes())
    with (folder / "model.onnx_data").open("wb") as weights:
        weights.truncate(90_868_376)
    return folder


@pytest.fixture(scope="session")
def real_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real weights with the committed graph, in a folder of its own."""
    from tailmark_worker.graph_file import link_or_copy

    given = os.environ.get("TAILMARK_TEST_MODEL")
    if not given:
        pytest.skip("TAILMARK_TEST_MODEL does not name a folder with the real all-MiniLM-L6-v2")
    source = Path(given)
    folder = tmp_path_factory.mktemp("real-model")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        link_or_copy(source / name, folder / name)
    link_or_copy(source / "model.safetensors", folder / "model.onnx_data")
    for name in ("model.onnx", "tailmark-model.json"):
        (folder / name).write_bytes((COMMITTED_MODEL / name).read_bytes())
    return folder


MakeModel = Callable[..., Path]


@pytest.fixture
def tiny_model(tmp_path: Path) -> MakeModel:
    """Makes folders with a small random model: a BERT, or with `tiny_model("distilbert")` a DistilBERT."""
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    transformers = pytest.importorskip("transformers", reason="needs the extra `torch`")

    def make(kind: str = "bert", dtype: str = "float32") -> Path:
        folder = tmp_path / f"tiny-{kind}-{dtype}"
        folder.mkdir()
        words = [
            "a",
            "man",
            "is",
            "eating",
            "food",
            "what",
            "the",
            "capital",
            "of",
            "norway",
            "and",
            "how",
            "many",
            "people",
            "live",
            "there",
            "yes",
        ]
        vocabulary = write_tokenizer(folder, words)
        torch.manual_seed(7)
        if kind == "bert":
            config = transformers.BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=64,
            )
            model = transformers.BertModel(config)
        else:
            config = transformers.DistilBertConfig(
                vocab_size=len(vocabulary),
                dim=32,
                n_layers=2,
                n_heads=2,
                hidden_dim=64,
                max_position_embeddings=64,
            )
            model = transformers.DistilBertModel(config)
        model.to(getattr(torch, dtype)).save_pretrained(folder)
        write_manifest(folder, recipe(64))
        return folder

    return make


@pytest.fixture
def tiny_graph(tiny_model: MakeModel) -> Path:
    """A small random BERT with its graph beside it."""
    pytest.importorskip("onnx", reason="needs the extra `export`")
    from tailmark_worker.export import export
    from tailmark_worker.graph_file import link_or_copy

    folder = tiny_model()
    export(folder, folder / "model.onnx")
    link_or_copy(folder / "model.safetensors", folder / "model.onnx_data")
    return folder


SentenceKind = str
"""`bert`, `roberta` or `mpnet`."""

SENTENCE_MAX_TOKENS = 48
"""What the folders below can take; they have positions for a few more."""


def write_sentence_folder(folder: Path, kind: SentenceKind) -> Path:
    """A folder of a small random model, with a tokenizer trained on the package's texts."""
    import torch
    import transformers

    transformers.logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _train_tokenizer(folder, byte_pairs=kind == "roberta")
    common: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        # Larger than usual: with the usual weights every token attends to every other alike, and a graph that
        # lost the positions or the mask would hardly be told from a sound one.
        "initializer_range": 0.3,
    }
    positions = SENTENCE_MAX_TOKENS
    torch.manual_seed(7)
    if kind == "bert":
        config = transformers.BertConfig(**common, max_position_embeddings=positions)
        model = transformers.BertModel(config)
    elif kind == "roberta":
        config = transformers.RobertaConfig(
            **common, max_position_embeddings=positions + 2, type_vocab_size=1, pad_token_id=1
        )
        model = transformers.RobertaModel(config)
    else:
        config = transformers.MPNetConfig(**common, max_position_embeddings=positions + 2, pad_token_id=1)
        model = transformers.MPNetModel(config)
    model.save_pretrained(folder)
    mode = "cls" if kind == "roberta" else "mean"
    (folder / "1_Pooling").mkdir()
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    files: dict[str, object] = {
        "1_Pooling/config.json": {"pooling_mode": mode, "embedding_dimension": 32},
        "modules.json": [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{name}"}
            for at, (path, name) in enumerate(modules)
        ],
        "sentence_bert_config.json": {"max_seq_length": positions},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    write_manifest(folder, recipe(positions, mode=mode, padding_id=1))
    return folder


def _train_tokenizer(folder: Path, *, byte_pairs: bool) -> int:
    """Write `tokenizer.json` and `tokenizer_config.json`; returns the size of the vocabulary."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from tokenizers.processors import TemplateProcessing

    from tailmark_worker.committed_texts import neighbour_texts

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    if byte_pairs:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(
            vocab_size=600, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=special)
    tokenizer.train_from_iterator(neighbour_texts(), trainer)
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "pad_token": "<pad>",
                "model_max_length": 1_000_000_000_000_000_019_884_624_838_656,
            }
        )
    )
    return int(tokenizer.get_vocab_size())


@dataclass(frozen=True)
class ExportedFolder:
    """A sentence-transformers folder, and the graph that `export` made of it."""

    folder: Path
    graph: Path
    status: int
    stdout: str
    stderr: str

    @property
    def last_line(self) -> dict[str, Any]:
        """What the last line of standard output says."""
        content: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        return content


ExportedFolders = Callable[[SentenceKind], ExportedFolder]


@pytest.fixture(scope="session")
def exported_folders(tmp_path_factory: pytest.TempPathFactory) -> ExportedFolders:
    """Makes a folder of each kind, and its graph, once for all tests. Nothing may be written into them."""
    pytest.importorskip("torch", reason="needs the extra `export`")
    pytest.importorskip("onnx", reason="needs the extra `export`")
    import contextlib
    import io

    from tailmark_worker.export import main

    made: dict[SentenceKind, ExportedFolder] = {}

    def get(kind: SentenceKind) -> ExportedFolder:
        if kind not in made:
            folder = write_sentence_folder(tmp_path_factory.mktemp(kind) / "model", kind)
            graph = folder.parent / "graph" / "model.onnx"
            out, log = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(log):
                status = main(["--model", str(folder), "--output", str(graph), "--link-weights"])
            made[kind] = ExportedFolder(folder, graph, status, out.getvalue(), log.getvalue())
        return made[kind]

    return get
