"""Shapes that differ in the transformer: each architecture that embedding models have, pooled plainly."""

from pathlib import Path

import torch
import transformers
from networks import (
    HALF_HIDDEN,
    HEADS,
    HIDDEN,
    INNER,
    LAYERS,
    POSITIONS,
    bert,
    dense,
    network,
    save,
    sizes,
    xlmr,
)
from shape import SHAPES
from words import bytes_of_qwen, bytes_of_roberta, pieces_of_gemma, pieces_of_t5, pieces_of_xlmr, word_piece

INSTRUCTION = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"


@SHAPES.add()
def bert_mean(folder: Path) -> None:
    """all-MiniLM, gte of 2023."""
    words = word_piece()
    save(folder, bert(words), words)


@SHAPES.add()
def bert_cls(folder: Path) -> None:
    """bge-en, snowflake-arctic-embed, mxbai-embed-large."""
    words = word_piece()
    save(folder, bert(words), words, "cls")


@SHAPES.add()
def roberta_mean(folder: Path) -> None:
    """all-distilroberta, all-roberta-large."""
    words = bytes_of_roberta()
    config = transformers.RobertaConfig(
        **sizes(words, max_position_embeddings=POSITIONS + 2, type_vocab_size=1)
    )
    save(folder, network("RobertaModel", config), words)


@SHAPES.add(few=True)
def xlmr_prompts(folder: Path) -> None:
    """multilingual-e5, paraphrase-multilingual: prompts by name."""
    words = pieces_of_xlmr()
    save(folder, xlmr(words), words, prompts={"query": "query: ", "passage": "passage: "})


@SHAPES.add()
def xlmr_cls(folder: Path) -> None:
    """bge-m3 (its dense vectors), snowflake-arctic-embed-l-v2."""
    words = pieces_of_xlmr()
    save(folder, xlmr(words), words, "cls")


@SHAPES.add()
def camembert_mean(folder: Path) -> None:
    """sentence-camembert."""
    words = pieces_of_xlmr()
    config = transformers.CamembertConfig(
        **sizes(words, max_position_embeddings=POSITIONS + 2, type_vocab_size=1)
    )
    save(folder, network("CamembertModel", config), words)


@SHAPES.add()
def mpnet_mean(folder: Path) -> None:
    """all-mpnet-base-v2, multi-qa-mpnet: positions by distance too."""
    words = bytes_of_roberta()
    config = transformers.MPNetConfig(**sizes(words, max_position_embeddings=POSITIONS + 2))
    save(folder, network("MPNetModel", config), words)


@SHAPES.add()
def distilbert_mean(folder: Path) -> None:
    """msmarco-distilbert, multi-qa-distilbert: no token types, other names in the configuration."""
    words = word_piece()
    config = transformers.DistilBertConfig(
        vocab_size=len(words),
        dim=HIDDEN,
        n_layers=LAYERS,
        n_heads=HEADS,
        hidden_dim=INNER,
        max_position_embeddings=POSITIONS,
    )
    save(folder, network("DistilBertModel", config), words)


@SHAPES.add()
def albert_mean(folder: Path) -> None:
    """paraphrase-albert: one layer's weights several times over."""
    words = pieces_of_xlmr()
    config = transformers.AlbertConfig(**sizes(words, embedding_size=HALF_HIDDEN))
    save(folder, network("AlbertModel", config), words)


@SHAPES.add()
def electra_mean(folder: Path) -> None:
    """ELECTRA retrievers: embeddings shorter than the hidden size."""
    words = word_piece()
    config = transformers.ElectraConfig(**sizes(words, embedding_size=HALF_HIDDEN))
    save(folder, network("ElectraModel", config), words)


@SHAPES.add()
def deberta_v2_mean(folder: Path) -> None:
    """DeBERTa-v3 retrievers: attention to content and distance apart."""
    words = pieces_of_xlmr()
    config = transformers.DebertaV2Config(
        **sizes(words, type_vocab_size=0),
        relative_attention=True,
        position_buckets=32,
        max_relative_positions=-1,
        pos_att_type=["p2c", "c2p"],
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        position_biased_input=False,
    )
    save(folder, network("DebertaV2Model", config), words)


@SHAPES.add()
def modernbert_mean(folder: Path) -> None:
    """modernbert-embed: local attention, prompts by name."""
    words = word_piece(8192)
    prompts = {"query": "search_query: ", "document": "search_document: "}
    save(folder, _modern(words), words, prompts=prompts)


@SHAPES.add()
def modernbert_cls(folder: Path) -> None:
    """gte-modernbert, granite-embedding-english-r2."""
    words = word_piece(8192)
    save(folder, _modern(words), words, "cls")


def _modern(words: transformers.PreTrainedTokenizerFast) -> torch.nn.Module:
    config = transformers.ModernBertConfig(
        **sizes(words, max_position_embeddings=8192),
        local_attention=16,
        global_attn_every_n_layers=2,
        bos_token_id=2,
        eos_token_id=3,
        cls_token_id=2,
        sep_token_id=3,
    )
    return network("ModernBertModel", config)


@SHAPES.add()
def nomic_bert_mean(folder: Path) -> None:
    """nomic-embed-text-v1.5 in transformers' own form: rotated positions, a gate in each layer."""
    words = word_piece(512)
    config = transformers.NomicBertConfig(**sizes(words, max_position_embeddings=512))
    save(folder, network("NomicBertModel", config), words)


@SHAPES.add()
def gte_cls(folder: Path) -> None:
    """gte-multilingual, gte-en-v1.5 in transformers' own form."""
    words = pieces_of_xlmr(512)
    config = transformers.GteConfig(**sizes(words, max_position_embeddings=512))
    save(folder, network("GteModel", config), words, "cls")


@SHAPES.add()
def jina_v3_mean(folder: Path) -> None:
    """jina-embeddings-v3 in transformers' own form."""
    words = pieces_of_xlmr(512)
    config = transformers.JinaEmbeddingsV3Config(**sizes(words, max_position_embeddings=512))
    save(folder, network("JinaEmbeddingsV3Model", config), words)


@SHAPES.add()
def eurobert_mean(folder: Path) -> None:
    """EuroBERT retrievers: a decoder's layers that look both ways."""
    words = bytes_of_roberta(512)
    config = transformers.EuroBertConfig(**sizes(words, max_position_embeddings=512, num_key_value_heads=2))
    save(folder, network("EuroBertModel", config), words)


def qwen3(words: transformers.PreTrainedTokenizerFast, name: str = "Qwen3Model") -> torch.nn.Module:
    """A Qwen3, of the class of that name."""
    config = transformers.Qwen3Config(
        **sizes(words, max_position_embeddings=1024),
        num_key_value_heads=2,
        head_dim=16,
        bos_token_id=0,
        eos_token_id=1,
    )
    return network(name, config)


@SHAPES.add(few=True)
def qwen3_last_token(folder: Path) -> None:
    """Qwen3-Embedding, e5-mistral: the last token, padding at the left, an instruction for queries."""
    words = bytes_of_qwen()
    save(folder, qwen3(words), words, "lasttoken", prompts={"query": INSTRUCTION, "document": ""})


@SHAPES.add()
def qwen3_mean(folder: Path) -> None:
    """A causal model pooled by the mean."""
    words = bytes_of_qwen()
    save(folder, qwen3(words), words)


@SHAPES.add(few=True)
def gemma3_two_dense(folder: Path) -> None:
    """EmbeddingGemma: looks both ways, mean, two matrices, prompts."""
    words = pieces_of_gemma()
    after = [dense(HIDDEN, 4 * HIDDEN, bias=False), dense(4 * HIDDEN, HIDDEN, bias=False, seed=6)]
    prompts = {"query": "task: search result | query: ", "document": "title: none | text: "}
    save(folder, _gemma3(words), words, "mean", after, prompts=prompts)


@SHAPES.add()
def gemma3_mean(folder: Path) -> None:
    """The same transformer without matrices."""
    words = pieces_of_gemma()
    save(folder, _gemma3(words), words)


def _gemma3(words: transformers.PreTrainedTokenizerFast) -> torch.nn.Module:
    config = transformers.Gemma3TextConfig(
        **sizes(words, max_position_embeddings=512),
        num_key_value_heads=1,
        head_dim=16,
        sliding_window=32,
        layer_types=["sliding_attention", "full_attention"],
        use_bidirectional_attention=True,
        query_pre_attn_scalar=16,
        bos_token_id=2,
        eos_token_id=1,
    )
    return network("Gemma3TextModel", config)


@SHAPES.add(few=True)
def t5_dense(folder: Path) -> None:
    """sentence-t5, gtr-t5: the encoder alone, mean, a matrix."""
    words = pieces_of_t5()
    save(folder, _t5(words), words, "mean", [dense(HIDDEN, HIDDEN, bias=False)])


@SHAPES.add()
def t5_mean(folder: Path) -> None:
    """The same without its matrix."""
    words = pieces_of_t5()
    save(folder, _t5(words), words)


def _t5(words: transformers.PreTrainedTokenizerFast) -> torch.nn.Module:
    config = transformers.T5Config(
        vocab_size=len(words),
        d_model=HIDDEN,
        d_kv=16,
        d_ff=INNER,
        num_layers=LAYERS,
        num_heads=HEADS,
        pad_token_id=0,
        eos_token_id=1,
    )
    return network("T5EncoderModel", config)
