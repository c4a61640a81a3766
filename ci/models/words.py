"""Small tokenizers of each family, trained on the shipped corpora. Each is trained once."""

from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CORPORA = Path(__file__).resolve().parents[2] / "scenarios" / "corpora"
WORD_PIECES = 2500
SPACE = "\u2581"
UNKNOWN_WORD = "[UNK]"
BEGIN, END, PADDING, UNKNOWN, MASK = "<s>", "</s>", "<pad>", "<unk>", "<mask>"
QWEN_PADDING, QWEN_END = "<|endoftext|>", "<|im_end|>"

BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
BERT_NAMES = {
    "pad_token": "[PAD]",
    "unk_token": UNKNOWN_WORD,
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
ROBERTA_NAMES = {
    "bos_token": BEGIN,
    "pad_token": PADDING,
    "eos_token": END,
    "unk_token": UNKNOWN,
    "cls_token": BEGIN,
    "sep_token": END,
}


def lines() -> list[str]:
    """What the tokenizers are trained on."""
    paths = sorted(CORPORA.glob("*.txt"))
    if not paths:
        raise FileNotFoundError(f"{CORPORA} has no corpora to train tokenizers on")
    return [line for path in paths for line in path.read_text(encoding="utf-8").splitlines() if line]


def word_piece(limit: int = 128, *, lower_case: bool = True, **more: Any) -> PreTrainedTokenizerFast:
    """As BERT has it: `[CLS] text [SEP]`."""
    return _fast(_word_piece(lower_case), limit, **BERT_NAMES, **more)


def bytes_of_roberta(limit: int = 128) -> PreTrainedTokenizerFast:
    """As RoBERTa and MPNet have it: byte pairs, `<s> text </s>`, padding 1."""
    return _fast(_bytes_of_roberta(), limit, mask_token=MASK, **ROBERTA_NAMES)


def bytes_of_qwen(limit: int = 512, side: str = "left") -> PreTrainedTokenizerFast:
    """As Qwen3-Embedding has it: byte pairs, `text <|endoftext|>`, padded at the left."""
    return _fast(_bytes_of_qwen(), limit, padding_side=side, pad_token=QWEN_PADDING, eos_token=QWEN_END)


def pieces_of_xlmr(limit: int = 128) -> PreTrainedTokenizerFast:
    """As XLM-R has it: unigrams, `<s> text </s>`, padding 1."""
    return _fast(_pieces((BEGIN, PADDING, END, UNKNOWN), "<s> $A </s>"), limit, **ROBERTA_NAMES)


def pieces_of_t5(limit: int = 128) -> PreTrainedTokenizerFast:
    """As T5 has it: unigrams, `text </s>`, padding 0."""
    made = _pieces((PADDING, END, UNKNOWN), "$A </s>")
    return _fast(made, limit, pad_token=PADDING, eos_token=END, unk_token=UNKNOWN)


def pieces_of_gemma(limit: int = 512) -> PreTrainedTokenizerFast:
    """As Gemma has it: spaces are replaced before anything is split, `<bos> text <eos>`, padding 0."""
    names = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
    return _fast(_pieces(("<pad>", "<eos>", "<bos>", "<unk>"), "<bos> $A <eos>", gemma=True), limit, **names)


def _fast(content: str, limit: int, **names: Any) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(content), model_max_length=limit, **names
    )


@cache
def _word_piece(lower_case: bool) -> str:
    made = Tokenizer(models.WordPiece(unk_token=UNKNOWN_WORD))
    made.normalizer = normalizers.BertNormalizer(lowercase=lower_case)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.train_from_iterator(
        lines(),
        trainers.WordPieceTrainer(vocab_size=WORD_PIECES, special_tokens=[*BERT], show_progress=False),
    )
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return str(made.to_str())


def _byte_pairs(special: list[str]) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=WORD_PIECES, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(lines(), trainer)
    return made


@cache
def _bytes_of_roberta() -> str:
    made = _byte_pairs([BEGIN, PADDING, END, UNKNOWN, MASK])
    made.post_processor = processors.RobertaProcessing((END, 2), (BEGIN, 0), add_prefix_space=False)
    return str(made.to_str())


@cache
def _bytes_of_qwen() -> str:
    made = _byte_pairs([QWEN_PADDING, QWEN_END])
    end = [(QWEN_PADDING, 0)]
    made.post_processor = processors.TemplateProcessing(single="$A <|endoftext|>", special_tokens=end)
    return str(made.to_str())


@cache
def _pieces(special: tuple[str, ...], template: str, gemma: bool = False) -> str:
    made = Tokenizer(models.Unigram())
    compatible = normalizers.NFKC()
    if gemma:
        made.normalizer = normalizers.Sequence([compatible, normalizers.Replace(" ", SPACE)])
        made.pre_tokenizer = pre_tokenizers.Split(SPACE, "merged_with_next")
    else:
        made.normalizer = compatible
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=1800, special_tokens=[*special], unk_token=UNKNOWN, show_progress=False
    )
    made.train_from_iterator(lines(), trainer)
    used = [(name, made.token_to_id(name)) for name in special if name in template]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    return str(made.to_str())
