"""Estimators for scikit-learn: a network of any topology as a classifier or a regressor.

Needs scikit-learn (extra `sklearn`), so `import neurograph` does not bring it in.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurograph.errors import NeurographWarning, ParameterError, ShapeError
from neurograph.estimator_base import (
    Builder,
    ClassifierMixin,
    NetworkEstimator,
    RegressorMixin,
    check_classification_targets,
    sample_weights,
    validate_data,
)
from neurograph.learning.losses import Loss, softmax
from neurograph.learning.optimizers import LBFGS, Optimizer
from neurograph.network import Network
from neurograph.values import number

__all__ = ["NetworkClassifier", "NetworkRegressor"]


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """A classifier for scikit-learn that is a network.

    The probabilities are the softmax of the outputs, one for each class in the order of
    `classes_`, and learning minimizes the cross-entropy. A network of one's own may have a single
    logistic output for two classes; that is the probability of the second one.

    Parameters
    ----------
    network : Network or function, optional
        A network that is copied and goes on from the weights it has; or a function of (n_inputs,
        n_outputs, seed) that returns a new one, seed being given by name. Outputs are meant to be
        "identity". A perceptron unless given.
    hidden : int or tuple of int
        Sizes of the hidden layers of that perceptron; () is logistic regression.
    activation : str
        Of its hidden neurons.
    steps : int
        Each row of X is a sequence of so many steps, one after the other, of n_features / steps
        inputs; the answer is that of the last step.
    optimizer : Optimizer, optional
        `neurograph.Adam(0.01)` unless given.
    epochs : int
        Passes over the samples, at most.
    batch_size : int
        Samples for each update.
    shuffle : bool
        Draw a new order for each epoch.
    early_stopping : bool
        Hold out a part of the samples, end when their loss has not become lower for
        `n_iter_no_change` epochs, and go back to the best epoch.
    validation_fraction : float
        How much of the samples is held out; they are drawn, and keep their weights.
    n_iter_no_change : int
    class_weight : "balanced" or mapping, optional
        Weight of the samples of each class. A class that the mapping does not name has weight 1.
    warm_start : bool
        Whether `fit` goes on where the last one ended.
    random_state : int, RandomState or None
        From which the weights of a perceptron, the seed of a builder and the order of the samples
        are drawn.
    engine : str, optional
        "walker", "compiled" or "auto"; that of the network unless given.
    verbose : bool
        Show a bar (extra `progress`).

    Attributes
    ----------
    classes_ : array
    network_ : Network
        Trained; to look at, to change, to go on with.
    history_ : History
    n_iter_ : int
        Epochs so far.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_wine(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), NetworkClassifier(epochs=50, random_state=0))
    >>> model.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9
    True
    """

    class_weight: str | Mapping | None

    def __init__(
        self,
        network: Network | Builder | None = None,
        *,
        hidden: int | tuple[int, ...] = (16,),
        activation: str = "relu",
        steps: int = 1,
        optimizer: Optimizer | LBFGS | None = None,
        epochs: int = 200,
        batch_size: int = 200,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: str | Mapping | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        engine: str | None = None,
        verbose: bool = False,
    ):
        self._set(locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkClassifier:
        """Train a new network, or go on with the old one if `warm_start`.

        Parameters
        ----------
        X : (n_samples, n_features) array
        y : (n_samples,) array
            Labels: numbers or strings.
        sample_weight : (n_samples,) array, optional
            Weight 2 is the sample twice.

        Raises
        ------
        ParameterError, ShapeError
            Both are ValueErrors: a single class, a parameter or weight that cannot be, a network
            that does not fit X and y.
        NonFiniteError
            Training diverged.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, reset=not self._goes_on())
        check_classification_targets(y)
        classes = self.classes_ if self._goes_on() else np.unique(y)
        return self._teach(X, y, classes, sample_weight, True, self._goes_on())

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> NetworkClassifier:
        """Train for one epoch, from where the network is; nothing is held out.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array
            All labels that there are; needed by the first call only.
        """
        goes_on = hasattr(self, "network_")
        if not goes_on and classes is None:
            raise ParameterError(
                "the first partial_fit needs all labels that there are, as classes=np.unique(y)"
            )
        if self.class_weight is not None and isinstance(self.class_weight, str):
            raise ParameterError(
                f"class_weight {self.class_weight!r} needs all samples at once, and partial_fit"
                " sees some of them; give a mapping, as class_weight={'yes': 2.5}"
            )
        X, y = validate_data(self, X, y, dtype=np.float64, reset=not goes_on)
        check_classification_targets(y)
        known = self.classes_ if goes_on else np.unique(classes)
        if classes is not None and not np.array_equal(np.unique(classes), known):
            raise ParameterError(
                f"classes must be those of the first call, {known.tolist()}; got"
                f" {np.unique(classes).tolist()}"
            )
        return self._teach(X, y, known, sample_weight, False, goes_on)

    def _teach(
        self, X: np.ndarray, y: np.ndarray, classes: np.ndarray, weight: Any, whole: bool, on: bool
    ) -> NetworkClassifier:
        if len(classes) < 2:
            raise ParameterError(
                "a classifier needs two classes or more; there is one class only,"
                f" {classes.tolist()}"
            )
        unknown = np.setdiff1d(y, classes)
        if len(unknown):
            raise ParameterError(
                f"y holds {unknown.tolist()[0]!r}, which is none of the classes {classes.tolist()}"
            )
        codes = np.searchsorted(classes, y)
        weight = sample_weights(weight, codes)
        if self.class_weight is not None:
            weight = np.ones(len(codes)) if weight is None else weight
            weight = weight * class_weights(self.class_weight, classes, codes, weight)[codes]
        net = self.network_ if on else self._make(len(classes))
        single = require_outputs_for(net, len(classes))
        loss = "binary_cross_entropy" if single else "categorical_cross_entropy"
        targets = codes[:, None] if single else codes
        history = self._learn(net, X, targets, weight, loss, whole)
        self.classes_ = classes
        self._keep(net, history, on)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, (n_samples, n_classes), as in `classes_`."""
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        return softmax(outputs)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each sample, (n_samples,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(1)]


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """A regressor for scikit-learn that is a network, with one output for each column of y.

    Targets are taken as they are; where they are far from 0 ± 1, put the regressor into a
    `sklearn.compose.TransformedTargetRegressor` with a StandardScaler.

    Parameters
    ----------
    network, hidden, activation, steps, optimizer, epochs, batch_size, shuffle, early_stopping, \
validation_fraction, n_iter_no_change, warm_start, random_state, engine, verbose
        As in `NetworkClassifier`.
    loss : str
        See `neurograph.LOSSES`.

    Attributes
    ----------
    network_, history_, n_iter_, n_features_in_, feature_names_in_
        As in `NetworkClassifier`.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> y = X[:, 0] ** 2
    >>> model = NetworkRegressor(hidden=8, optimizer=LBFGS(), epochs=100, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.99
    True
    """

    loss: str | Loss

    def __init__(
        self,
        network: Network | Builder | None = None,
        *,
        hidden: int | tuple[int, ...] = (16,),
        activation: str = "relu",
        steps: int = 1,
        optimizer: Optimizer | LBFGS | None = None,
        epochs: int = 200,
        batch_size: int = 200,
        shuffle: bool = True,
        loss: str | Loss = "squared_error",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: Any = None,
        engine: str | None = None,
        verbose: bool = False,
    ):
        self._set(locals())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:
        """Train a new network, or go on with the old one if `warm_start`.

        Parameters
        ----------
        X : (n_samples, n_features) array
        y : (n_samples,) or (n_samples, n_outputs) array
        sample_weight : (n_samples,) array, optional
            Weight 2 is the sample twice.

        Raises
        ------
        ParameterError, ShapeError
            Both are ValueErrors: a parameter or weight that cannot be, a network that does not fit
            X and y.
        NonFiniteError
            Training diverged.
        """
        return self._teach(X, y, sample_weight, True, self._goes_on())

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:
        """Train for one epoch, from where the network is; nothing is held out.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        return self._teach(X, y, sample_weight, False, hasattr(self, "network_"))

    def _teach(self, X: Any, y: Any, weight: Any, whole: bool, on: bool) -> NetworkRegressor:
        X, y = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, reset=not on
        )
        targets, weight = y.reshape(len(y), -1), sample_weights(weight, y)
        net = self.network_ if on else self._make(targets.shape[1])
        if len(net.outputs) != targets.shape[1]:
            raise ShapeError(
                f"y has {targets.shape[1]} column(s), the network has {len(net.outputs)} outputs"
            )
        history = self._learn(net, X, targets, weight, self.loss, whole)
        self._flat = y.ndim == 1
        self._keep(net, history, on)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the outputs for X, in the shape that y had."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs


# ---------------------------------------------------------------- helpers


def require_outputs_for(net: Network, n_classes: int) -> bool:
    """Return whether a network tells two classes apart by a single output."""
    outputs = net.outputs
    if len(outputs) == 1 and n_classes == 2:
        return True
    if len(outputs) != n_classes:
        one = " (or a single logistic one)" * (n_classes == 2)
        raise ShapeError(
            f"{n_classes} classes need {n_classes} outputs{one}; the network has {len(outputs)}"
        )
    for name in outputs:
        activation = net.nodes[name].activation
        if activation in BOUNDED:
            warnings.warn(
                f"output {name!r} is {activation}, which is bounded, so no class can be nearly"
                f" certain; write net.nodes[{name!r}].activation = 'identity'",
                NeurographWarning,
                stacklevel=4,
            )
            break
    return False


BOUNDED = {
    *("logistic", "tanh", "step", "bipolar", "bipolar_logistic", "hard_tanh", "softsign"),
    *("sin", "gaussian"),
}


def class_weights(
    given: str | Mapping, classes: np.ndarray, codes: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Return the weight of each class.

    "balanced" is total / (classes that are there · total of the class), samples counted by weight.
    """
    if isinstance(given, str) and given == "balanced":
        totals = np.bincount(codes, weight, len(classes))
        there = totals > 0
        return totals.sum() / (there.sum() * np.where(there, totals, math.inf))
    if not isinstance(given, Mapping):
        raise ParameterError(
            "class_weight must be None, 'balanced' or a mapping of classes to weights, as"
            f" {{'no': 1, 'yes': 5}}; got {given!r}"
        )
    labels = classes.tolist()
    unknown = [label for label in given if label not in labels]
    if unknown:
        raise ParameterError(
            f"class_weight names {unknown[0]!r}, which is none of the classes {labels}"
        )
    return np.array([number(f"the weight of class {c!r}", given.get(c, 1.0)) for c in labels])
