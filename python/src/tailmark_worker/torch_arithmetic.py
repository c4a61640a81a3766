"""The arithmetic of a head whose vectors are torch's tensors, on whatever device they are."""

from typing import Any

SMALLEST_LENGTH = 1e-12
EPSILON = 1e-5


class TorchArithmetic:
    """The same operations as in `pooling`, by torch."""

    def __init__(self, torch: Any) -> None:
        """``torch`` is the library, which is imported late."""
        self._torch = torch
        functional = torch.nn.functional
        self._activations = {
            "identity": lambda x: x,
            "tanh": torch.tanh,
            "relu": functional.relu,
            "gelu": functional.gelu,
            "silu": functional.silu,
            "sigmoid": torch.sigmoid,
        }

    def single(self, vectors: Any) -> Any:
        """The same numbers in single precision."""
        return vectors.to(self._torch.float32)

    def weighted_sum(self, hidden: Any, weights: Any) -> Any:
        """The sum over the tokens, each times its weight."""
        return (hidden * weights.unsqueeze(-1)).sum(1)

    def total(self, weights: Any) -> Any:
        """The sum of each row, as a column."""
        return weights.sum(1, keepdim=True)

    def at_least(self, numbers: Any, least: float) -> Any:
        """No number below ``least``."""
        return numbers.clamp(min=least)

    def root(self, numbers: Any) -> Any:
        """The square root of each."""
        return numbers.sqrt()

    def positions(self, mask: Any) -> Any:
        """1, 2, 3, ... for each token of a row."""
        row = self._torch.arange(1, mask.shape[1] + 1, device=mask.device, dtype=self._torch.float32)
        return row.expand(mask.shape)

    def largest(self, hidden: Any, mask: Any) -> Any:
        """The largest of each number over the tokens whose mask is 1; zero where there is none."""
        found = hidden.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).max(dim=1).values
        return self._torch.where(self.total(mask) > 0, found, self._torch.zeros_like(found))

    def taken(self, hidden: Any, rows: Any) -> Any:
        """The vector of one token of each text, by its place."""
        return hidden[self._torch.arange(hidden.shape[0], device=hidden.device), rows]

    def first_of(self, mask: Any) -> Any:
        """The place of each row's first 1; 0 where there is none."""
        return mask.to(self._torch.int32).argmax(dim=1)

    def last_of(self, mask: Any) -> Any:
        """The place of each row's last 1; the last place where there is none."""
        return mask.shape[1] - 1 - mask.to(self._torch.int32).flip(1).argmax(dim=1)

    def side_by_side(self, parts: list[Any]) -> Any:
        """Vectors put one after the other."""
        return self._torch.cat(parts, dim=1)

    def tensor(self, values: Any, like: Any) -> Any:
        """Numbers that were read from a file, where the vectors are."""
        return self._torch.tensor(values).to(like.device)

    def product(self, vectors: Any, matrix: Any) -> Any:
        """Each vector multiplied by a matrix [out, in]."""
        return self._torch.nn.functional.linear(vectors, matrix)

    def activated(self, name: str, vectors: Any) -> Any:
        """Each number after the activation of that name."""
        return self._activations[name](vectors)

    def standardized(self, vectors: Any) -> Any:
        """Each row with mean 0 and variance 1; the variance is that of all its numbers."""
        return self._torch.nn.functional.layer_norm(vectors, (vectors.shape[1],), eps=EPSILON)

    def scale_to_unit(self, vectors: Any) -> Any:
        """Each row divided by its length."""
        return self._torch.nn.functional.normalize(vectors, p=2.0, dim=1, eps=SMALLEST_LENGTH)
