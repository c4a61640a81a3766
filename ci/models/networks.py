"""Small transformers with random weights, and how a model of several modules is put into a folder."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules

HIDDEN = 64
HALF_HIDDEN = 32
INNER = 128
LAYERS = 2
HEADS = 4
POSITIONS = 256

SPREAD = 0.15
"""Standard deviation of the weights. At transformers' own 0.02 a model that was never trained has nearly the
same vector for every text, and a fault in the tokens or the pooling would not be seen."""


def sizes(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """What most configurations call the sizes of a transformer."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "pad_token_id": tokenizer.pad_token_id,
        **more,
    }


def spread(model: Any, seed: int = 11) -> Any:
    """The same model with weights that are far from zero, biases too, so that leaving any out is seen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            drawn = torch.randn(weight.shape, generator=generator)
            if weight.dim() > 1:
                weight.copy_(SPREAD * drawn)
            else:
                # Scales are drawn around what they were made with: one, or zero where one is added to them.
                is_scale = name.endswith("weight") and float(weight.mean()) > 0.5
                weight.copy_((1.0 if is_scale else 0.0) + 0.1 * drawn)
    return model.eval()


def network(name: str, config: Any, seed: int = 11) -> Any:
    """A model of transformers' class of that name."""
    return spread(getattr(transformers, name)(config), seed)


def bert(tokenizer: Any, **more: Any) -> Any:
    """A BERT."""
    return network("BertModel", transformers.BertConfig(**sizes(tokenizer, **more)))


def xlmr(tokenizer: Any) -> Any:
    """An XLM-R, whose positions begin after the padding's id."""
    config = transformers.XLMRobertaConfig(
        **sizes(tokenizer, max_position_embeddings=POSITIONS + 2, type_vocab_size=1)
    )
    return network("XLMRobertaModel", config)


def first_module(model: Any, tokenizer: Any) -> Any:
    """A model and its tokenizer as the first module of sentence-transformers."""
    with tempfile.TemporaryDirectory() as passing:
        model.save_pretrained(passing)
        tokenizer.save_pretrained(passing)
        return modules.Transformer(passing)


def save(
    folder: Path,
    model: Any,
    tokenizer: Any,
    pooling: str | Sequence[str] = "mean",
    after: Sequence[Any] = (),
    *,
    unit: bool = True,
    include_prompt: bool = True,
    **settings: Any,
) -> None:
    """Write transformer, pooling, the modules ``after`` it and, for ``unit`` vectors, Normalize."""
    pool = modules.Pooling(HIDDEN, pooling_mode=pooling, include_prompt=include_prompt)
    chain = [first_module(model, tokenizer), pool, *after, *([modules.Normalize()] if unit else [])]
    save_chain(folder, chain, **settings)


def save_chain(folder: Path, chain: Sequence[Any], **settings: Any) -> None:
    """Write these modules."""
    whole = SentenceTransformer(modules=[*chain], device="cpu", **settings)
    whole.save(str(folder), create_model_card=False)


def dense(inputs: int, outputs: int, activation: Any = None, *, bias: bool = True, seed: int = 5) -> Any:
    """A Dense module; without an activation it is linear."""
    function = torch.nn.Identity() if activation is None else activation
    return spread(modules.Dense(inputs, outputs, bias=bias, activation_function=function), seed)


def settle(path: Path, changes: Mapping[str, Any]) -> None:
    """Change keys of a file of JSON, which need not be there; None takes a key out."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content |= changes
    kept = {key: value for key, value in content.items() if value is not None or key not in changes}
    path.write_text(json.dumps(kept, indent=2), encoding="utf-8")
