"""From attributes, as users give them, to values of columns, or what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neurograph.errors import ParameterError
from neurograph.table import FLOAT, Column, Handle

__all__ = ["not_given", "split"]


def not_given(key: Any, value: Any) -> bool:
    """Whether a parameter is None, or the NaN that stands for it in tables of pandas."""
    return value is None or (
        isinstance(value, float) and value != value and key not in ("weight", "bias")
    )


def _require_fit(name: str, value: float, dtype: np.dtype) -> None:
    if abs(value) > float(np.finfo(dtype).max):
        raise ParameterError(f"{name} is too large for {dtype}: {value!r}")


def split(
    cls: type[Handle],
    where: Callable[[], str],
    attributes: Mapping,
    rest: Mapping[Column, int],
    dtype: np.dtype,
) -> tuple[dict[Column, Any], dict]:
    """Encode the parameters among `attributes`; what is not given gets the default of `rest`."""
    values: dict[Column, Any] = {}
    own = {}
    try:
        for key, value in attributes.items():
            column = cls.keyed.get(key)
            if column is None:
                own[key] = value
            elif value is None and key == cls.always:
                raise ParameterError(f"{key} is always there; give it a number instead of None")
            elif column.encode is None or not_given(key, value):
                values[column] = rest.get(column, column.default)
            else:
                values[column] = column.encode(key, value)
                if column.dtype is FLOAT and values[column] not in (-np.inf, np.inf):
                    _require_fit(key, values[column], dtype)
    except ParameterError as error:
        raise ParameterError(f"{where()}: {error}") from None
    return values, own
