"""Writes a sentence-transformers folder with a small BERT of random weights: `python tiny_model.py FOLDER`.

For the test that a model of one's own works from end to end. Its vocabulary is in lower case and its
tokenizer keeps case: only sentence_bert_config.json says that texts are lower-cased. Needs torch,
transformers and tokenizers.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

WORDS = (
    "a",
    "the",
    "man",
    "is",
    "eating",
    "food",
    "what",
    "of",
    "how",
    "do",
    "and",
    "to",
    "best",
    "lighthouse",
)
MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))


def main(folder: Path) -> None:
    """Tokenizer, weights, and the files that say how they are used."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *(chr(code) for code in range(33, 127))]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(WordLevel(numbers, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(7)
    config = transformers.BertConfig(
        vocab_size=len(numbers),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    files = {
        "modules.json": [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (path, kind) in enumerate(MODULES)
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": 48, "do_lower_case": True},
        # Without it transformers would make a tokenizer of its own for this kind of model.
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


main(Path(sys.argv[1]))
