"""Shapes that differ in how the weights are kept, and tables of vectors, which are weights alone."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from networks import HIDDEN, bert, network, save, save_chain, settle, sizes
from safetensors.torch import load_file, save_file
from sentence_transformers.sentence_transformer import modules
from shape import HALF, SHAPES, TABLE_KIND, TRANSFORMER_KINDS, truth_of
from words import word_piece

WEIGHTS = "model.safetensors"
TABLE = {
    "runs": (TABLE_KIND,),
    "refuses": TRANSFORMER_KINDS,
    "refusal": "table of vectors",
}


def plain(folder: Path) -> None:
    """A BERT pooled by the mean, which is then changed."""
    words = word_piece()
    save(folder, bert(words), words)


@SHAPES.add(limit=HALF)
def weights_fp16(folder: Path) -> None:
    """Half precision, in which sentence-transformers computes too."""
    words = word_piece()
    save(folder, bert(words).half(), words)


@SHAPES.add(limit=HALF)
def weights_bf16(folder: Path) -> None:
    """bfloat16: EmbeddingGemma, Qwen3-Embedding, granite-r2."""
    words = word_piece()
    save(folder, bert(words).bfloat16(), words)


@SHAPES.add()
def weights_sharded(folder: Path) -> None:
    """Several files with an index: Qwen3-Embedding-4B, e5-mistral."""
    plain(folder)
    model = transformers.AutoModel.from_pretrained(folder)
    (folder / WEIGHTS).unlink()
    model.save_pretrained(folder, max_shard_size="300KB")
    if len(list(folder.glob("*.safetensors"))) < 2:
        raise RuntimeError("the library wrote a single shard")


@SHAPES.add()
def weights_bin(folder: Path) -> None:
    """pytorch_model.bin alone: before 2023."""
    plain(folder)
    torch.save(transformers.AutoModel.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


@SHAPES.add()
def weights_prefixed(folder: Path) -> None:
    """Saved with a head for language modelling, so that names begin with `bert.`."""
    plain(folder)
    config = transformers.BertConfig.from_pretrained(folder)
    network("BertForMaskedLM", config).save_pretrained(folder)


@SHAPES.refused("lacks? .*tensors")
def weights_layer_missing(folder: Path) -> None:
    """A damaged upload without one of its layers."""
    plain(folder)
    kept = {name: weight for name, weight in load_file(folder / WEIGHTS).items() if ".layer.1." not in name}
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})


@SHAPES.refused("lacks? .*tensors")
def weights_misnamed(folder: Path) -> None:
    """A wrapper's names, none of which the architecture has."""
    plain(folder)
    renamed = {f"encoder_q.{name}": weight for name, weight in load_file(folder / WEIGHTS).items()}
    save_file(renamed, folder / WEIGHTS, metadata={"format": "pt"})


@SHAPES.add()
def weights_untrained(folder: Path) -> None:
    """Weights as transformers draws them, with which all texts are nearly alike."""
    words = word_piece()
    torch.manual_seed(3)
    save(folder, transformers.BertModel(transformers.BertConfig(**sizes(words))).eval(), words)


@SHAPES.add(few=True, **TABLE)
def static_embedding(folder: Path) -> None:
    """static-retrieval-mrl: a table of vectors and no transformer."""
    _table(folder)


@SHAPES.add(**TABLE)
def static_truncated(folder: Path) -> None:
    """The same, cut to its first numbers and not scaled."""
    _table(folder, unit=False, truncate_dim=24)


@SHAPES.add(**TABLE)
def model2vec(folder: Path) -> None:
    """potion, M2V_base: the layout of model2vec, without a list of modules."""
    truth = truth_of(folder)
    _table(truth)
    table = load_file(truth / WEIGHTS)["embedding.weight"]
    save_file({"embeddings": table}, folder / WEIGHTS)
    (folder / "tokenizer.json").write_bytes((truth / "tokenizer.json").read_bytes())
    about = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "normalize": True,
        "hidden_dim": HIDDEN,
    }
    (folder / "config.json").write_text(json.dumps(about), encoding="utf-8")


def _table(folder: Path, *, unit: bool = True, **settings: object) -> None:
    words = word_piece()
    drawn = np.random.default_rng(13).standard_normal((len(words), HIDDEN)).astype(np.float32)
    table = modules.StaticEmbedding(words, embedding_weights=drawn)
    save_chain(folder, [table, *([modules.Normalize()] if unit else [])], **settings)


@SHAPES.refused("config.json|code of its own")
def config_nomic_names(folder: Path) -> None:
    """nomic-embed-text's own configuration, which has GPT-2's names and points to code elsewhere."""
    words = word_piece(512)
    made = transformers.NomicBertConfig(**sizes(words, max_position_embeddings=512))
    save(folder, network("NomicBertModel", made), words)
    place = "nomic-ai/nomic-bert-2048"
    settle(
        folder / "config.json",
        {
            "hidden_size": None,
            "num_hidden_layers": None,
            "num_attention_heads": None,
            "max_position_embeddings": None,
            "intermediate_size": None,
            "n_embd": made.hidden_size,
            "n_layer": made.num_hidden_layers,
            "n_head": made.num_attention_heads,
            "n_positions": made.max_position_embeddings,
            "n_inner": made.intermediate_size,
            "auto_map": {
                "AutoConfig": f"{place}--configuration_hf_nomic_bert.NomicBertConfig",
                "AutoModel": f"{place}--modeling_hf_nomic_bert.NomicBertModel",
            },
        },
    )
