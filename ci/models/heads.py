"""Shapes that differ in what comes before and after the transformer: prompts, pooling, modules."""

import json
from pathlib import Path

import torch
from networks import HALF_HIDDEN, HIDDEN, bert, dense, first_module, save, save_chain, settle, spread
from sentence_transformers.sentence_transformer import modules
from shape import SHAPES
from words import word_piece

PROMPTS = {"query": "query: ", "document": "passage: "}


@SHAPES.add()
def not_unit(folder: Path) -> None:
    """multi-qa-dot, msmarco-dot: no Normalize, and lengths matter."""
    words = word_piece()
    save(folder, bert(words), words, unit=False, similarity_fn_name="dot")


@SHAPES.add()
def prompts(folder: Path) -> None:
    """e5, bge: prompts by name, none of them the default."""
    words = word_piece()
    save(folder, bert(words), words, prompts=PROMPTS)


@SHAPES.add()
def default_prompt(folder: Path) -> None:
    """One prompt is the default, which plain `encode` puts before every text."""
    words = word_piece()
    save(folder, bert(words), words, prompts=PROMPTS, default_prompt_name="query")


@SHAPES.add()
def prompt_not_pooled(folder: Path) -> None:
    """INSTRUCTOR: include_prompt is false, so that the prompt's tokens are seen and not pooled."""
    words = word_piece()
    save(folder, bert(words), words, include_prompt=False, prompts=PROMPTS, default_prompt_name="document")


@SHAPES.add()
def prompt_not_pooled_cls(folder: Path) -> None:
    """The same with the first token after the prompt."""
    words = word_piece()
    save(folder, bert(words), words, "cls", include_prompt=False, prompts=PROMPTS)


@SHAPES.add()
def truncate_dim(folder: Path) -> None:
    """Matryoshka models that were saved with truncate_dim."""
    words = word_piece()
    save(folder, bert(words), words, truncate_dim=HALF_HIDDEN)


@SHAPES.add()
def labse(folder: Path) -> None:
    """LaBSE: the first token, a matrix and the hyperbolic tangent."""
    words = word_piece()
    save(folder, bert(words), words, "cls", [dense(HIDDEN, 48, torch.nn.Tanh())])


@SHAPES.add()
def dense_linear(folder: Path) -> None:
    """stella: vectors longer than the hidden size."""
    words = word_piece()
    save(folder, bert(words), words, "mean", [dense(HIDDEN, 96, bias=False)])


@SHAPES.add()
def dense_not_unit(folder: Path) -> None:
    """distiluse: a shorter vector, not scaled."""
    words = word_piece()
    save(folder, bert(words), words, "mean", [dense(HIDDEN, HALF_HIDDEN, torch.nn.Tanh())], unit=False)


@SHAPES.add()
def layer_norm(folder: Path) -> None:
    """LayerNorm after the pooling."""
    words = word_piece()
    save(folder, bert(words), words, "mean", [spread(modules.LayerNorm(HIDDEN))])


@SHAPES.add()
def pooling_max(folder: Path) -> None:
    """The largest of each number over the tokens."""
    words = word_piece()
    save(folder, bert(words), words, "max")


@SHAPES.add()
def pooling_sqrt_len(folder: Path) -> None:
    """The sum divided by the root of the number of tokens: the mean's direction, another length."""
    words = word_piece()
    save(folder, bert(words), words, "mean_sqrt_len_tokens", unit=False)


@SHAPES.add()
def pooling_weighted(folder: Path) -> None:
    """SGPT: later tokens weigh more."""
    words = word_piece()
    save(folder, bert(words), words, "weightedmean")


@SHAPES.add()
def pooling_last(folder: Path) -> None:
    """The last token of an encoder."""
    words = word_piece()
    save(folder, bert(words), words, "lasttoken")


@SHAPES.add()
def pooling_cls_and_mean(folder: Path) -> None:
    """Two poolings side by side."""
    words = word_piece()
    save(folder, bert(words), words, ("cls", "mean"))


@SHAPES.refused("Pooling|pooled output")
def pooler_output(folder: Path) -> None:
    """No Pooling: the vector is the transformer's own pooled output."""
    words = word_piece()
    save_chain(folder, [first_module(bert(words), words), modules.Pooling(HIDDEN)])
    (folder / "1_Pooling" / "config.json").unlink()
    (folder / "1_Pooling").rmdir()
    listed = folder / "modules.json"
    listed.write_text(json.dumps(json.loads(listed.read_text(encoding="utf-8"))[:1]), encoding="utf-8")
    settle(
        folder / "sentence_bert_config.json",
        {
            "modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}},
            "module_output_name": "sentence_embedding",
        },
    )


@SHAPES.add()
def length_8192(folder: Path) -> None:
    """jina-v2-like: texts of 8,192 tokens."""
    words = word_piece(8192)
    save(folder, bert(words, max_position_embeddings=8192), words)


@SHAPES.add()
def length_unsaid(folder: Path) -> None:
    """No file says how long a text may be: the positions decide."""
    words = word_piece(int(1e30))
    save(folder, bert(words), words)
    settle(folder / "tokenizer_config.json", {"model_max_length": None})


@SHAPES.add()
def length_16(folder: Path) -> None:
    """So short that most texts are cut."""
    words = word_piece(16)
    save(folder, bert(words), words)
