"""What sentence-transformers answers decides: a recipe that follows it is taken, another refused."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BYTE_ORDER_MARK, Message, recipe, write_manifest, write_sentence_folder

from tailmark_worker import encode
from tailmark_worker.backend import LoadError, ModelFileError
from tailmark_worker.committed_texts import reference_texts
from tailmark_worker.comparison import Baseline, graph_token_vectors
from tailmark_worker.export import export, main
from tailmark_worker.graph_file import WEIGHTS_NAME, link_or_copy
from tailmark_worker.model_folder import read_model, readable
from tailmark_worker.reference import content
from tailmark_worker.tool import ToolError

pytest.importorskip("onnx", reason="needs the extra `export`")
sentence_transformers = pytest.importorskip("sentence_transformers", reason="needs the extra `export`")

LENGTH = 48
NORMALIZE: Message = {"module": "normalize"}

MakeFolder = Callable[..., Path]


def change(folder: Path, name: str, **members: Any) -> None:
    """Change members of a JSON file of a folder, which need not be there."""
    path = folder / name
    content = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**content, **members}))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its graph, which stays as it is: what the tests change is not in the graph."""
    folder = write_sentence_folder(tmp_path_factory.mktemp("encode") / "model", "bert")
    export(folder, folder / "model.onnx")
    link_or_copy(folder / "model.safetensors", folder / WEIGHTS_NAME)
    return folder


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed. Its tokenizer keeps case, as those of cased vocabularies do."""
    import shutil

    copy = Path(shutil.copytree(exported, tmp_path / "model"))
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    return copy


def checked(folder: Path, described: Message) -> dict[str, Any]:
    """The reference of a folder by a recipe, compared with the library."""
    write_manifest(folder, described)
    model = read_model(folder)
    with encode.opened(folder) as encoder:
        encode.check(encoder, model, graph_token_vectors(folder / "model.onnx", model.recipe))
        made: dict[str, Any] = content(model, "me/mine", {}, Baseline(model, encoder.vectors))
    return made


def encoded(folder: Path) -> np.ndarray:
    """What a caller of the library gets."""
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    vectors = np.asarray(model.encode(reference_texts(), batch_size=16), np.float32)
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def decoded(made: dict[str, Any]) -> np.ndarray:
    import base64

    return np.stack([np.frombuffer(base64.b64decode(vector), "<f4") for vector in made["vectors"]])


def lower_by_sentences(folder: Path) -> None:
    change(folder, "sentence_bert_config.json", do_lower_case=True)


def lower_by_class(folder: Path) -> None:
    # This class makes its own tokenizer of the vocabulary and of its own settings.
    change(
        folder,
        "tokenizer_config.json",
        tokenizer_class="BertTokenizer",
        do_lower_case=True,
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<unk>",
    )


def cut_at_the_left(folder: Path) -> None:
    change(folder, "tokenizer_config.json", truncation_side="left")


def cut_vectors(folder: Path) -> None:
    change(folder, "config_sentence_transformers.json", truncate_dim=8)


def prompted(folder: Path) -> None:
    change(
        folder,
        "config_sentence_transformers.json",
        prompts={"query": "query: ", "document": ""},
        default_prompt_name="query",
    )


PROMPTS: Message = {"prompts": {"query": "query: "}, "default_prompt": "query"}


@pytest.mark.parametrize(
    ("prepare", "described", "without"),
    [
        (lambda _: None, recipe(LENGTH, padding_id=1), None),
        (lower_by_sentences, recipe(LENGTH, padding_id=1, lower_case=True), "other tokens of"),
        (
            lower_by_class,
            recipe(LENGTH, padding_id=1, lower_case=True, strip_accents=True),
            "other tokens of",
        ),
        (cut_at_the_left, recipe(LENGTH, padding_id=1, truncation_side="left"), "other tokens of"),
        (
            cut_vectors,
            recipe(LENGTH, {"module": "truncate", "dimensions": 8}, padding_id=1),
            "vectors have 8 numbers and those of the graph 32",
        ),
        (prompted, recipe(LENGTH, padding_id=1, **PROMPTS), "other tokens of"),
    ],
    ids=[
        "plain",
        "lower-case-by-sentences",
        "lower-case-by-class",
        "cut-at-the-left",
        "cut-vectors",
        "prompted",
    ],
)
def test_a_recipe_that_says_what_the_library_does_is_taken_and_one_that_does_not_is_refused(
    folder: Path, prepare: Callable[[Path], None], described: Message, without: str | None
) -> None:
    prepare(folder)
    made = checked(folder, described)
    np.testing.assert_allclose(decoded(made), encoded(folder), atol=1e-5)
    if without is not None:
        with pytest.raises(ToolError, match=without):
            checked(folder, recipe(LENGTH, padding_id=1))


def test_another_pooling_than_the_library_s_is_refused_with_what_it_has(folder: Path) -> None:
    with pytest.raises(ToolError) as caught:
        checked(folder, recipe(LENGTH, mode="cls", padding_id=1))
    said = str(caught.value)
    assert said.startswith("the vectors are not those of `SentenceTransformer(folder).encode`: ")
    assert "the tokens are the same, and its modules are Transformer, Pooling" in said


def test_tokens_that_differ_are_shown_with_the_text(folder: Path) -> None:
    lower_by_sentences(folder)
    with pytest.raises(ToolError) as caught:
        checked(folder, recipe(LENGTH, padding_id=1))
    said = str(caught.value)
    assert said.startswith(
        "sentence-transformers has other tokens of 'A man is eating food.' than the model's files say: "
    )
    assert re.search(
        r": \d+ tokens, from token 2 on `a .+`; by the recipe \d+ tokens, from token 2 on `<unk> ", said
    )


def test_the_tool_writes_nothing_that_was_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, reference = tmp_path / "made" / "model.onnx", tmp_path / "made" / "reference.json"
    arguments = ["--model", str(folder), "--output", str(graph), "--encoded", str(reference), "--name", "me"]
    assert main([*arguments, "--recipe", json.dumps(recipe(LENGTH, mode="cls"))]) == 1
    assert capsys.readouterr().err.startswith("error: the vectors are not those of")
    assert not graph.exists()
    assert not reference.exists()
    assert main([*arguments, "--recipe", json.dumps(recipe(LENGTH, padding_id=1))]) == 0
    *said, last = capsys.readouterr().out.splitlines()
    assert any("the same tokens, and over" in line for line in said), said
    against = json.loads(last)["checked_against"]
    assert against["library"] == "sentence-transformers"
    assert against["smallest_cosine"] > 0.99999
    assert json.loads(reference.read_text())["model"] == "me"


def test_named_prompts_are_compared_too(folder: Path) -> None:
    change(folder, "config_sentence_transformers.json", prompts={"query": "query: ", "passage": "passage: "})
    described = recipe(LENGTH, padding_id=1, prompts={"query": "query: ", "passage": "passage: "})
    checked(folder, described)
    with pytest.raises(ToolError, match="with the prompt `query`"):
        checked(folder, recipe(LENGTH, padding_id=1, prompts={"query": "question: ", "passage": "passage: "}))


def test_a_text_that_has_no_tokens_is_left_out(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    made = checked(folder, recipe(LENGTH, padding_id=1))
    assert "" not in made["texts"]
    assert len(made["texts"]) == len(made["vectors"]) > 50
    assert min(made["token_counts"]) > 0


def test_a_byte_order_mark_before_the_configuration_is_no_part_of_it(folder: Path) -> None:
    for name in ("config.json", "modules.json", "1_Pooling/config.json", "tokenizer.json"):
        path = folder / name
        path.write_bytes(BYTE_ORDER_MARK + path.read_bytes())
    assert export(folder, folder / "again.onnx").matched > 0
    made = checked(folder, recipe(LENGTH, padding_id=1))
    assert len(made["vectors"]) == len(reference_texts())
    with readable(folder) as place:
        assert place != folder
        assert (place / "model.safetensors").is_symlink()
    assert not place.exists()


@pytest.mark.parametrize("missing", ["one layer", "all"])
def test_weights_that_would_be_drawn_at_random_are_named(folder: Path, missing: str) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    kept = {
        name if missing == "one layer" else f"elsewhere.{name}": tensor
        for name, tensor in tensors.items()
        if missing == "all" or "layer.1." not in name
    }
    save_file(kept, path, metadata={"format": "pt"})
    with pytest.raises(LoadError) as caught:
        export(folder, folder / "again.onnx")
    said = str(caught.value)
    assert f"the weights in {folder} lack " in said
    assert "which would be drawn at random: " in said
    assert not (folder / "again.onnx").exists()


def test_a_pooler_that_is_not_there_is_not_missed(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    kept = {name: tensor for name, tensor in tensors.items() if "pooler" not in name}
    assert len(kept) < len(tensors)
    save_file(kept, path, metadata={"format": "pt"})
    assert export(folder, folder / "again.onnx").matched > 0


def test_a_recipe_comes_from_the_command_line_or_from_the_manifest_and_is_not_made_up(folder: Path) -> None:
    write_manifest(folder, recipe(7))
    assert read_model(folder).recipe.max_tokens == 7
    assert read_model(folder, json.dumps(recipe(9))).recipe.max_tokens == 9
    with pytest.raises(ModelFileError, match="--recipe: it is not a recipe: `max_tokens` must be an integer"):
        read_model(folder, json.dumps(recipe(0)))
    (folder / "tailmark-model.json").unlink()
    with pytest.raises(ModelFileError, match="no --recipe says how texts become vectors"):
        read_model(folder)


def test_a_model_whose_vectors_depend_on_the_other_texts_of_a_batch_is_refused_with_that_reason(
    folder: Path,
) -> None:
    """The positions of this model are counted from the left, so that padding there shifts them."""
    change(folder, "tokenizer_config.json", padding_side="left")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    padding = {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None}
    tokenizer["padding"] = {**padding, "pad_id": 1, "pad_type_id": 0, "pad_token": "[PAD]"}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ToolError, match="another vector in batches of 16 than alone: the smallest cosine"):
        checked(folder, recipe(LENGTH, padding_id=1))
