"""The specification against torch's convolution of -1 and +1."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.xnor.cases import SHAPES, Case
from xnor import reference


@pytest.mark.parametrize("case", SHAPES, ids=str)
@pytest.mark.parametrize("padding_value", [-1, 0, 1])
def test_equals_torch_on_signs(case: Case, padding_value: int) -> None:
    case = case._replace(padding_value=padding_value)
    x, w = (torch.from_numpy(np.where(a >= 0, 1.0, -1.0)) for a in case.arrays())
    down, across = case.padding
    padded = functional.pad(x, (across, across, down, down), value=float(padding_value))
    expected = functional.conv2d(padded, w, stride=case.stride, dilation=case.dilation, groups=case.groups)
    assert (case.expected() == expected.numpy()).all()


def test_a_product_written_out() -> None:
    assert reference.gemm([[1, -2, 0]], [[3, -1], [-1, 0], [5, -7]]).tolist() == [[3, -3]]
