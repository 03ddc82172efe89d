"""Data sets to classify: Japanese vowels, handwritten digits, MNIST."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from neurograph.datasets.files import at, read_arrays, shipped
from neurograph.datasets.samples import DataSet, Samples
from neurograph.errors import FormatError, ParameterError
from neurograph.values import natural, number

__all__ = ["digits", "japanese_vowels", "mnist"]


def japanese_vowels() -> DataSet:
    """Return Japanese vowels: which of 9 speakers says /ae/, from 7 to 29 steps of 12 numbers.

    270 sequences to learn from and 370 to test with, filled up with 0 to 29 steps; the numbers
    are LPC cepstrum coefficients of the recordings. Part of the package.

    Source: Kudo, Toyama and Shimbo (1999), Pattern Recognition Letters 20:1103-1111; UCI; licence
    CC BY 4.0.

    Examples
    --------
    >>> data = japanese_vowels()
    >>> data.train
    <270 sequences of up to 29 steps, 12 inputs, 9 classes>
    >>> data.train.X.shape, data.train.lengths[:3], data.train.y[:3]
    ((270, 29, 12), array([20, 26, 22]), array([0, 0, 0]))
    """
    arrays = read_arrays(
        shipped("japanese_vowels.npz"),
        [f"{k}_{part}" for part in ("train", "test") for k in ("x", "len", "y")],
    )
    longest = int(max(arrays["len_train"].max(), arrays["len_test"].max()))
    train, test = (
        Samples(
            _filled(arrays[f"x_{part}"], arrays[f"len_{part}"].astype(np.int64), longest),
            arrays[f"y_{part}"].astype(np.int64) - 1,
            9,
            arrays[f"len_{part}"].astype(np.int64),
        )
        for part in ("train", "test")
    )
    return DataSet(train, test)


def _filled(rows: np.ndarray, lengths: np.ndarray, longest: int) -> np.ndarray:
    """Return joined sequences as (B, T, n_in), filled up with 0."""
    X = np.zeros((len(lengths), longest, rows.shape[1]), np.float32)
    X[np.arange(longest) < lengths[:, None]] = rows
    return X


def digits(*, test_size: float = 0.2, seed: int | np.random.Generator = 0) -> DataSet:
    """Return scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, scaled to 0 … 1.

    Parameters
    ----------
    test_size : float
        Share of the samples to test with, drawn at random.
    seed : int or numpy.random.Generator
        Of the drawing; the same seed gives the same parts.

    Raises
    ------
    ImportError
        scikit-learn is not installed; the message says how to install it.

    Notes
    -----
    Source: Alpaydin and Kaynak (1998), UCI, CC BY 4.0: the test set of its Optical Recognition
    of Handwritten Digits. There is no official split of it.
    """
    share = number("test_size", test_size)
    if not 0 < share < 1:
        raise ParameterError(f"test_size must lie between 0 and 1, got {test_size!r}")
    rng = seed if isinstance(seed, np.random.Generator) else None
    rng = np.random.default_rng(natural("seed", seed)) if rng is None else rng
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits needs scikit-learn: pip install scikit-learn") from error
    X, y = load_digits(return_X_y=True)
    order = rng.permutation(len(X))
    n_test = min(max(1, round(share * len(X))), len(X) - 1)
    parts = order[n_test:], order[:n_test]
    train, test = (
        Samples((X[i] / 16).astype(np.float32), y[i].astype(np.int64), 10) for i in parts
    )
    return DataSet(train, test)


def mnist(path: str | os.PathLike) -> DataSet:
    """Return MNIST from an .npz file: handwritten digits of 28 x 28 pixels, divided by 256.

    Parameters
    ----------
    path : path-like
        With x_train (B, 28, 28) uint8, y_train (B,), x_test, y_test and, if there is a part to
        validate with, x_valid and y_valid. Keras's mnist.npz is such a file.

    Returns
    -------
    DataSet
        X is (B, 784) float32 in [0, 1), rows of pixels one after the other; y the digit.

    Raises
    ------
    ParameterError
        There is no such file.
    FormatError
        It is not what is described here.

    Notes
    -----
    Divided by 256, as the file of Nielsen's book does (LeCun, Bottou, Bengio and Haffner 1998
    for the data).
    """
    file = at("path", path)
    names = [f"{k}_{part}" for part in ("train", "test") for k in ("x", "y")]
    arrays = read_arrays(file, names, ("x_valid", "y_valid"))
    if ("x_valid" in arrays) != ("y_valid" in arrays):
        raise FormatError(f"{str(file)!r} has only one of x_valid and y_valid; it takes both")
    valid = _images(file, arrays, "valid") if "x_valid" in arrays else None
    return DataSet(_images(file, arrays, "train"), _images(file, arrays, "test"), valid)


def _images(file: Path, arrays: dict[str, Any], part: str) -> Samples:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if x.dtype != np.uint8 or x.ndim != 3 or x.shape[1:] != (28, 28) or not len(x):
        raise FormatError(
            f"{str(file)!r}: x_{part} must hold images of shape (B, 28, 28), uint8;"
            f" got {x.shape}, {x.dtype}"
        )
    if y.shape != (len(x),) or y.dtype.kind not in "iu":
        raise FormatError(
            f"{str(file)!r}: y_{part} must hold {len(x)} whole numbers, one for each image;"
            f" got {y.shape}, {y.dtype}"
        )
    if not ((y >= 0) & (y <= 9)).all():
        wrong = y[(y < 0) | (y > 9)][0]
        raise FormatError(f"{str(file)!r}: y_{part} must hold digits 0 to 9, got {wrong}")
    scaled = x.reshape(len(x), -1).astype(np.float32)
    scaled /= 256
    return Samples(scaled, y.astype(np.int64), 10)
