"""Shapes that differ in how the folder is laid out, and folders that are no embedding model at all."""

import json
import tempfile
from pathlib import Path

import transformers
from encoders import qwen3
from networks import HEADS, HIDDEN, INNER, bert, first_module, network, save, save_chain, settle, sizes
from sentence_transformers.sentence_transformer import modules
from shape import SHAPES
from weights import plain
from words import bytes_of_qwen, word_piece

MODULES = "modules.json"
OWN_CODE = '''"""A model that transformers does not know."""

from transformers import BertConfig, BertModel


class OwnConfig(BertConfig):
    model_type = "own_bert"


class OwnModel(BertModel):
    config_class = OwnConfig
'''


@SHAPES.add()
def folder_st2(folder: Path) -> None:
    """Written by sentence-transformers 2."""
    plain(folder)
    _as_version_2(folder, lower_case=False)


@SHAPES.add()
def folder_st2_lower_case(folder: Path) -> None:
    """The same with do_lower_case in sentence_bert_config.json and a tokenizer that keeps the case."""
    words = word_piece(lower_case=False)
    save(folder, bert(words), words)
    _as_version_2(folder, lower_case=True)


def _as_version_2(folder: Path, *, lower_case: bool) -> None:
    names = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    entries = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(names)
    ]
    (folder / MODULES).write_text(json.dumps(entries), encoding="utf-8")
    (folder / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": 100, "do_lower_case": lower_case}), encoding="utf-8"
    )
    flags = {
        f"pooling_mode_{mode}": mode == "mean_tokens" for mode in ("cls_token", "mean_tokens", "max_tokens")
    }
    pooling = {"word_embedding_dimension": HIDDEN, **flags, "pooling_mode_mean_sqrt_len_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")


@SHAPES.refused("0_Transformer")
def folder_transformer_below(folder: Path) -> None:
    """The transformer in a folder of its own, as before sentence-transformers 1."""
    plain(folder)
    below = folder / "0_Transformer"
    below.mkdir()
    names = ("config.json", "model.safetensors", "sentence_bert_config.json")
    for path in [folder / name for name in names] + list(folder.glob("token*")):
        path.rename(below / path.name)
    entries = json.loads((folder / MODULES).read_text(encoding="utf-8"))
    entries[0]["path"] = below.name
    (folder / MODULES).write_text(json.dumps(entries), encoding="utf-8")


@SHAPES.add()
def folder_plain_encoder(folder: Path) -> None:
    """Saved by transformers alone: no list of modules."""
    words = word_piece()
    bert(words).save_pretrained(folder)
    words.save_pretrained(folder)


@SHAPES.add()
def folder_plain_causal(folder: Path) -> None:
    """The same of a causal model, of which sentence-transformers takes the last token."""
    words = bytes_of_qwen()
    qwen3(words, "Qwen3ForCausalLM").save_pretrained(folder)
    words.save_pretrained(folder)


@SHAPES.refused("re-ranker|cross-encoder")
def folder_cross_encoder(folder: Path) -> None:
    """A re-ranker."""
    words = word_piece()
    config = transformers.BertConfig(**sizes(words), num_labels=1)
    network("BertForSequenceClassification", config).save_pretrained(folder)
    words.save_pretrained(folder)


@SHAPES.refused("SPLADE|sparse")
def folder_splade(folder: Path) -> None:
    """A sparse encoder."""
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder import modules as sparse

    words = word_piece()
    with tempfile.TemporaryDirectory() as inner:
        network("BertForMaskedLM", transformers.BertConfig(**sizes(words))).save_pretrained(inner)
        words.save_pretrained(inner)
        whole = SparseEncoder(modules=[sparse.MLMTransformer(inner), sparse.SpladePooling()], device="cpu")
        whole.save(str(folder), create_model_card=False)


@SHAPES.refused("Router")
def folder_router(folder: Path) -> None:
    """Queries and documents each go their own way."""
    words = word_piece()
    documents = [first_module(bert(words), words), modules.Pooling(HIDDEN)]
    queries = [modules.StaticEmbedding(word_piece(), embedding_dim=HIDDEN)]
    router = modules.Router.for_query_document(query_modules=queries, document_modules=documents)
    save_chain(folder, [router])


@SHAPES.refused("(?i)clip")
def folder_clip(folder: Path) -> None:
    """Texts and images."""
    tower = {
        "hidden_size": HIDDEN,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
    }
    config = transformers.CLIPConfig(
        text_config={"vocab_size": 3000, **tower},
        vision_config={"image_size": 32, "patch_size": 16, **tower},
        projection_dim=HIDDEN,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    word_piece(77).save_pretrained(folder)


def remote_code(folder: Path) -> None:
    """Code of the folder's own, as jina-v2, nomic-v1, gte-v1.5 and stella were uploaded."""
    plain(folder)
    (folder / "modeling_own.py").write_text(OWN_CODE, encoding="utf-8")
    classes = {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    settle(
        folder / "config.json", {"model_type": "own_bert", "architectures": ["OwnModel"], "auto_map": classes}
    )


SHAPES.refused("trust.remote.code", name="remote-code-untrusted")(remote_code)
SHAPES.add(name="remote-code-trusted", trust=True, export=("--trust-remote-code",))(remote_code)
