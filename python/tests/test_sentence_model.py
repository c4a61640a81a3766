"""What a sentence-transformers folder says of itself: tables of small files."""

import json
from pathlib import Path

import pytest
from conftest import write_tokenizer

from tailmark_worker.backend import ModelFileError
from tailmark_worker.sentence_model import Encoder, read_sentence_model

BERT = {"model_type": "bert", "max_position_embeddings": 512}
ROBERTA = {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}
MPNET = {"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 0}
NO_LIMIT = 1_000_000_000_000_000_019_884_624_838_656


def folder(path: Path, config: object, **files: object) -> Path:
    """Write a folder whose weights are empty; `a__b` is the file `a/b.json`."""
    write_tokenizer(path, ["one", "two"])
    (path / "model.safetensors").write_bytes(b"")
    for name, content in {"config": config, **files}.items():
        file = path / f"{name.replace('__', '/')}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("config", "files", "expected"),
    [
        (BERT, {}, 512),
        (ROBERTA, {}, 512),
        (MPNET, {}, 512),
        (BERT, {"sentence_bert_config": {"max_seq_length": 256}}, 256),
        (BERT, {"sentence_bert_config": {"max_seq_length": None}}, 512),
        (BERT, {"tokenizer_config": {"model_max_length": 128}}, 128),
        (BERT, {"tokenizer_config": {"model_max_length": NO_LIMIT}}, 512),
        (
            BERT,
            {"sentence_bert_config": {"max_seq_length": 384}, "tokenizer_config": {"model_max_length": 128}},
            384,
        ),
        # A length for which there are no positions would fail at the first long text.
        (ROBERTA, {"sentence_bert_config": {"max_seq_length": 514}}, 512),
        ({"model_type": "nomic_bert"}, {"sentence_bert_config": {"max_seq_length": 8192}}, 8192),
    ],
)
def test_the_length_comes_from_the_first_file_that_has_one(
    tmp_path: Path, config: object, files: dict[str, object], expected: int
) -> None:
    assert read_sentence_model(folder(tmp_path, config, **files)).max_tokens == expected


def test_a_folder_that_gives_no_length_is_refused_unless_one_is_given(tmp_path: Path) -> None:
    path = folder(tmp_path, {"model_type": "bert"})
    with pytest.raises(ModelFileError, match="no file says how many tokens the model takes"):
        read_sentence_model(path)
    assert read_sentence_model(path, 77).max_tokens == 77


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "mean"}, "mean"),
    ],
)
def test_the_pooling_is_what_its_file_says(tmp_path: Path, pooling: dict[str, object], expected: str) -> None:
    assert read_sentence_model(folder(tmp_path, BERT, **{"1_Pooling__config": pooling})).pooling == expected


def test_without_a_file_the_pooling_is_the_mean(tmp_path: Path) -> None:
    assert read_sentence_model(folder(tmp_path, BERT)).pooling == "mean"


@pytest.mark.parametrize(
    ("pooling", "named"),
    [
        ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False}, "`pooling_mode_max_tokens`;"),
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "`pooling_mode_cls_token` and `pooling_mode_mean_tokens`;",
        ),
        ({"pooling_mode": "lasttoken"}, "`pooling_mode` 'lasttoken';"),
    ],
)
def test_any_other_pooling_is_refused_by_its_name(
    tmp_path: Path, pooling: dict[str, object], named: str
) -> None:
    with pytest.raises(ModelFileError) as caught:
        read_sentence_model(folder(tmp_path, BERT, **{"1_Pooling__config": pooling}))
    assert f"the pooling is {named} supported are" in str(caught.value)


def test_a_module_that_would_be_left_out_is_refused(tmp_path: Path) -> None:
    modules = [
        {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    ]
    with pytest.raises(ModelFileError, match="it has a module `Dense`, known are Transformer, Pooling"):
        read_sentence_model(folder(tmp_path, BERT, modules=modules))


def test_the_pooling_is_read_where_the_list_of_modules_says_it_is(tmp_path: Path) -> None:
    modules = [{"path": "9_Pooling", "type": "sentence_transformers.models.Pooling"}]
    files = {"9_Pooling__config": {"pooling_mode_cls_token": True}}
    assert read_sentence_model(folder(tmp_path, BERT, modules=modules, **files)).pooling == "cls"


@pytest.mark.parametrize(
    ("config", "files", "expected"),
    [
        ({**BERT, "pad_token_id": 3}, {}, 3),
        (BERT, {}, 0),
        (BERT, {"tokenizer_config": {"pad_token": "[SEP]"}}, 3),
        (BERT, {"special_tokens_map": {"pad_token": {"content": "[CLS]"}}}, 2),
        ({**BERT, "pad_token_id": 1}, {"tokenizer_config": {"pad_token": "not in the vocabulary"}}, 1),
    ],
)
def test_batches_are_padded_with_the_token_that_is_named_as_padding(
    tmp_path: Path, config: object, files: dict[str, object], expected: int
) -> None:
    model = read_sentence_model(folder(tmp_path, config, **files))
    assert model.pad_id == expected
    batch = Encoder(model).encode(["one", "one two"])
    assert batch.input_ids.tolist() == [[2, 4, 3, expected], [2, 4, 5, 3]]


def test_a_file_that_is_not_what_it_should_be_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path, [1, 2])
    with pytest.raises(ModelFileError, match=r"config\.json: it is not a JSON object"):
        read_sentence_model(path)
    (path / "config.json").write_text("{")
    with pytest.raises(ModelFileError, match=r"config\.json: it is not JSON"):
        read_sentence_model(path)
