"""What `fit` learns from, checked: inputs, targets, weights of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from neurograph.engines.base import Batch, real_array
from neurograph.errors import NonFiniteError, ParameterError, ShapeError
from neurograph.learning.losses import Loss
from neurograph.schedule import Plan
from neurograph.values import number

__all__ = ["Lessons", "batch_of", "pad", "require_outputs", "targets_of"]


def require_outputs(plan: Plan) -> None:
    """Raise if no neuron is an output."""
    if not len(plan.outputs):
        raise ParameterError(
            "the network has no outputs; name some, e.g. net.outputs = ['y'], or"
            " net.add_neuron('y', role='output')"
        )


def pad(sequences: Sequence, fill: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of different lengths as one array, and their lengths.

    Parameters
    ----------
    sequences : sequence of (T_b, n) arrays
    fill : float
        What follows the end of a shorter one.

    Returns
    -------
    (B, T, n) array, (B,) int array

    Examples
    --------
    >>> X, lengths = pad([[[1], [2]], [[3]]])
    >>> X[..., 0], lengths
    (array([[1., 2.],
           [3., 0.]]), array([2, 1]))
    """
    rows = [real_array("a sequence", s, np.dtype(float)) for s in sequences]
    if not rows or any(r.ndim != 2 or r.shape[1] != rows[0].shape[1] for r in rows):
        raise ShapeError(
            "sequences must be a list of (steps, columns) arrays with as many columns each; got"
            f" shapes {[r.shape for r in rows][:5]}"
        )
    lengths = np.array([len(r) for r in rows])
    if not lengths.all():
        raise ShapeError(f"sequence {int(np.argmin(lengths))} has no steps")
    full = np.full((len(rows), lengths.max(), rows[0].shape[1]), float(fill))
    for b, row in enumerate(rows):
        full[b, : len(row)] = row
    return full, lengths


class Lessons(NamedTuple):
    """Samples, and what is asked of each.

    batch : Batch of B samples
    targets : (B, T, n_out) float64 array, NaN where nothing is asked
    weight : (B,) float64 array, or None if all are 1
    rows : (B,) int array, which samples of X these are; None if all of them, in order
    """

    batch: Batch
    targets: np.ndarray
    weight: np.ndarray | None
    rows: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        plan: Plan,
        dtype: np.dtype,
        X: Any,
        Y: Any,
        loss: Loss,
        lengths: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
    ) -> Lessons:
        """Check all that `fit` was given."""
        require_outputs(plan)
        batch, ends = batch_of(plan, dtype, X, lengths)
        if not batch.shape:
            raise ShapeError(
                "fit takes many samples, X of shape (samples, inputs) or (samples, steps, inputs);"
                f" got one sample of shape {np.shape(X)}"
            )
        targets = targets_of(loss, Y, batch.shape, len(plan.outputs), ends)
        if np.isnan(targets).all():
            raise ParameterError("every target is NaN: nothing is asked of any output")
        weight = _weights(sample_weight, class_weight, targets)
        return cls(batch, targets, weight)

    def part(self, samples: np.ndarray) -> Lessons:
        """Return some of the samples."""
        batch = Batch(self.batch.samples[samples], (len(samples), *self.batch.shape[1:]))
        weight = None if self.weight is None else self.weight[samples]
        rows = samples if self.rows is None else self.rows[samples]
        return Lessons(batch, self.targets[samples], weight, rows)

    def located(self, error: NonFiniteError) -> NonFiniteError:
        """Return an error that names the sample as the user numbers it."""
        if error.sample is None or self.rows is None:
            return error
        return error.moved(sample=int(self.rows[error.sample]))


def batch_of(
    plan: Plan, dtype: np.dtype, X: Any, lengths: Any = None
) -> tuple[Batch, np.ndarray | None]:
    """Return inputs, padded with 0, and the lengths of sequences, (B,) or None.

    Parameters
    ----------
    X : array as `Batch.of` takes it, or sequence of (T_b, n_in) arrays
    lengths : (B,) whole numbers, optional
        How many steps of each sequence count; told by X if that is a list of different lengths.
    """
    if lengths is None and _ragged(X):
        X, lengths = pad(X)
    if lengths is not None:
        X, lengths = _cut(real_array("X", X, dtype), lengths)
    return Batch.of(X, plan, dtype), lengths


def _ragged(X: Any) -> bool:
    return isinstance(X, (list, tuple)) and len({np.shape(x) for x in X}) > 1


def _cut(X: np.ndarray, lengths: Any) -> tuple[np.ndarray, np.ndarray]:
    """Check lengths of sequences; set inputs beyond their ends to 0."""
    if X.ndim != 3:
        raise ShapeError(
            f"lengths are those of sequences, X (samples, steps, inputs); got {X.shape}"
        )
    found = real_array("lengths", lengths, np.dtype(float))
    whole = found.shape == X.shape[:1] and (found == np.round(found)).all()
    if not whole or not ((found >= 1) & (found <= X.shape[1])).all():
        raise ParameterError(
            f"lengths must be {X.shape[0]} whole numbers from 1 to {X.shape[1]}, one a sample"
        )
    beyond = np.arange(X.shape[1]) >= found[:, None]
    return np.where(beyond[..., None], 0, X).astype(X.dtype), found.astype(int)


def targets_of(
    loss: Loss, Y: Any, shape: tuple[int, ...], n_out: int, lengths: np.ndarray | None
) -> np.ndarray:
    """Return targets (B, T, n_out): with lengths, one for each sequence is asked at its end."""
    if lengths is None:
        return loss.prepare(Y, shape, n_out)
    if _ragged(Y):
        Y, its_lengths = pad(Y, np.nan)
        if (its_lengths != lengths).any():
            b = int(np.argmax(its_lengths != lengths))
            raise ShapeError(
                f"target {b} has {its_lengths[b]} steps, its sequence has {lengths[b]}"
            )
    given = np.shape(Y)
    if given[:1] == shape[:1] and (len(given) == 1 or (len(given) == 2 and given != shape)):
        last = loss.prepare(Y, shape[:1], n_out)[:, 0]
        targets = np.full((*shape, n_out), np.nan)
        targets[np.arange(shape[0]), lengths - 1] = last
        return targets
    targets = loss.prepare(Y, shape, n_out).copy()
    targets[np.arange(shape[1]) >= lengths[:, None]] = np.nan
    return targets


def _weights(sample_weight: Any, class_weight: Any, targets: np.ndarray) -> np.ndarray | None:
    """Return the weight of each sample, that of its class included."""
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(targets))
    if sample_weight is not None:
        given = real_array("sample_weight", sample_weight, np.dtype(float))
        if given.shape != weight.shape:
            raise ShapeError(f"sample_weight must have shape {weight.shape}; got {given.shape}")
        if not np.isfinite(given).all():
            b = int(np.flatnonzero(~np.isfinite(given))[0])
            raise NonFiniteError(
                f"sample_weight holds {given[b]}", quantity="sample_weight",
                value=float(given[b]), sample=b, advice="weights must be finite, 0 or more",
            )  # fmt: skip
        weight = weight * given
    if class_weight is not None:
        weight = weight * _class_weights(class_weight, targets)
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise ParameterError("weights of samples must be finite, 0 or more, and not all 0")
    return weight


def _class_weights(class_weight: Any, targets: np.ndarray) -> np.ndarray:
    """Return for each sample the weight of its class, that of its last asked step."""
    asked = ~np.isnan(targets).all(2)
    last = targets.shape[1] - 1 - np.argmax(asked[:, ::-1], 1)
    row = targets[np.arange(len(targets)), last]
    classes = row[:, 0] if row.shape[1] == 1 else np.argmax(np.nan_to_num(row, nan=-np.inf), 1)
    names, place, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if isinstance(class_weight, str) and class_weight == "balanced":
        return (len(classes) / (len(names) * counts))[place]
    if not isinstance(class_weight, Mapping):
        raise ParameterError(
            "class_weight must be 'balanced' or a mapping of classes to weights, as {0: 1, 1: 5};"
            f" got {class_weight!r}"
        )
    given = {float(k): number(f"the weight of class {k!r}", w) for k, w in class_weight.items()}
    missing = [name for name in names.tolist() if name not in given]
    if missing:
        raise ParameterError(f"class_weight has no weight for class {missing[0]:g}")
    return np.array([given[name] for name in names.tolist()])[place]
