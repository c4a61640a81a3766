"""Whether onnxruntime adds products of int8 exactly on this processor, found out by a sum that is known.

An x86 processor with AVX2 and without VNNI adds two products of u8 and s8 in 16 bits, and cuts off what is
larger: the kernels saturate. Knows no model.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tailmark_worker.tool import library

TERMS = 64
LARGEST_U8, LARGEST_S8 = 255, 127
"""255 * 127 fits into 16 bits, and twice that does not."""

EXACT_SUMS = "session.x64quantprecision"
"""Where kernels saturate, "1" makes onnxruntime multiply u8 by u8, which is slower and exact. Elsewhere it
changes nothing."""


@dataclass(frozen=True, slots=True)
class KnownSum:
    """The largest sum of products that a row and a column of 64 numbers can have, and what came of it."""

    expected: int
    found: int

    @property
    def saturates(self) -> bool:
        """Whether something was cut off."""
        return self.found != self.expected


def add_known_sum(*, exact: bool = False) -> KnownSum:
    """Have onnxruntime multiply matrices of the largest numbers, on the CPU.

    ``exact`` asks for kernels that do not saturate, as `comparison.graph_token_vectors` can.
    """
    import onnxruntime

    weights = np.full((TERMS, TERMS), LARGEST_S8, np.int8)
    with library("onnxruntime's product of int8 matrices"):
        session = onnxruntime.InferenceSession(
            _product_with(weights), sess_options=settings(exact=exact), providers=["CPUExecutionProvider"]
        )
        # One row and several are multiplied by different kernels.
        sums = [
            session.run(None, {"rows": np.full((rows, TERMS), LARGEST_U8, np.uint8)})[0] for rows in (1, 16)
        ]
    return KnownSum(TERMS * LARGEST_U8 * LARGEST_S8, min(int(found.min()) for found in sums))


def settings(*, exact: bool) -> Any:
    """Options of a session that warns of nothing: what onnxruntime warns of here is how a graph was made."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if exact:
        options.add_session_config_entry(EXACT_SUMS, "1")
    return options


def _product_with(weights: np.ndarray[Any, np.dtype[np.int8]]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["rows", "weights"], ["sums"])],
        "known-sum",
        [helper.make_tensor_value_info("rows", TensorProto.UINT8, ["rows", TERMS])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, ["rows", TERMS])],
        [numpy_helper.from_array(weights, "weights")],
    )
    # Old versions on purpose: these operators have not changed, and every onnxruntime reads them.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
