"""What the estimators for scikit-learn share; the only module that imports it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "neurograph.estimators needs scikit-learn, 1.6 or later: pip install 'neurograph[sklearn]'"
    ) from error

from neurograph.architectures import perceptron
from neurograph.callbacks import EarlyStopping
from neurograph.engines.base import real_array
from neurograph.errors import ParameterError, ShapeError
from neurograph.history import History
from neurograph.learner import PART
from neurograph.learning.optimizers import LBFGS, Adam, Optimizer
from neurograph.network import Network
from neurograph.values import flag, natural

__all__ = [
    "Builder",
    "ClassifierMixin",
    "NetworkEstimator",
    "RegressorMixin",
    "check_classification_targets",
    "sample_weights",
    "validate_data",
]

Builder = Callable[..., Network]


class NetworkEstimator(BaseEstimator):
    """What classifier and regressor share; see there."""

    network: Network | Builder | None
    hidden: int | tuple[int, ...]
    activation: str
    steps: int
    optimizer: Optimizer | LBFGS | None
    epochs: int
    batch_size: int
    shuffle: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    random_state: Any
    engine: str | None
    verbose: bool
    history_: History

    def _set(self, given: dict[str, Any]) -> None:
        """Set the parameters, the `locals()` of a constructor, as they are; `fit` checks them."""
        for name, value in given.items():
            if name != "self":
                setattr(self, name, value)

    # ------------------------------------------------------------ the network

    def _goes_on(self) -> bool:
        return bool(self.warm_start) and hasattr(self, "network_")

    def _make(self, n_outputs: int) -> Network:
        """Return a network that has learned nothing yet; nobody else has it."""
        rng = check_random_state(self.random_state)
        seed, order = (int(s) for s in rng.randint(2**31 - 1, size=2))
        n_inputs = self._n_inputs()
        if isinstance(self.network, Network):
            net = self.network.copy()
            net.reset_optimizer()
        elif self.network is None:
            net = self._perceptron(n_inputs, n_outputs, seed)
        elif callable(self.network):
            net = self.network(n_inputs, n_outputs, seed=seed)
        else:
            net = self.network
        if not isinstance(net, Network):
            raise ParameterError(
                "network must be None, a Network, or a function of (n_inputs, n_outputs, seed) that"
                f" returns one; got {net!r}"
            )
        if len(net.inputs) != n_inputs:
            raise ShapeError(
                f"the network has {len(net.inputs)} inputs; {self.n_features_in_} features in"
                f" {self.steps} step(s) need {n_inputs}"
            )
        # The order of the samples is drawn from random_state too, whoever made the network.
        net._rng, net.seed = None, order
        return net

    def _n_inputs(self) -> int:
        steps = natural("steps", self.steps)
        if not steps or self.n_features_in_ % steps:
            raise ParameterError(
                f"steps must divide the number of features, {self.n_features_in_}; got {steps}"
            )
        return self.n_features_in_ // steps

    def _perceptron(self, n_inputs: int, n_outputs: int, seed: int) -> Network:
        hidden = np.atleast_1d(np.asarray(self.hidden, object)).tolist()
        return perceptron(
            n_inputs,
            *hidden,
            n_outputs,
            activation=self.activation,
            output_activation="identity",
            seed=seed,
        )

    # ------------------------------------------------------------ learning

    def _sequences(self, X: np.ndarray) -> np.ndarray:
        """Return X as (samples, steps, inputs)."""
        return X.reshape(len(X), -1, self._n_inputs())

    def _learn(
        self, net: Network, X: np.ndarray, targets: np.ndarray, weight: Any, loss: Any, whole: bool
    ) -> History:
        """Train a network for all epochs, or for one; the last step of each sample is asked."""
        X = self._sequences(X)
        asked = np.full((*X.shape[:2], *targets.shape[1:]), np.nan)
        asked[:, -1] = targets
        callbacks, validation = [], None
        if flag("early_stopping", self.early_stopping) and whole:
            if natural("n_iter_no_change", self.n_iter_no_change) < 1:
                raise ParameterError("n_iter_no_change must be 1 epoch or more, got 0")
            validation = self.validation_fraction
            callbacks.append(EarlyStopping(patience=self.n_iter_no_change))
        if self.engine is not None:
            net.engine = self.engine
        return net.fit(
            X,
            asked,
            epochs=self.epochs if whole else 1,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            optimizer=Adam(0.01) if self.optimizer is None else self.optimizer,
            loss=loss,
            validation=validation,
            sample_weight=weight,
            callbacks=callbacks,
            progress=bool(self.verbose),
        )

    def _keep(self, net: Network, history: History, goes_on: bool) -> None:
        self.history_ = joined(self.history_, history) if goes_on else history
        self.network_, self.n_iter_ = net, len(self.history_)

    def _outputs(self, X: Any) -> np.ndarray:
        """Return what the network says at the last step, (samples, outputs)."""
        check_is_fitted(self, "network_")
        X = self._sequences(validate_data(self, X, dtype=np.float64, reset=False))
        at_once = max(1, PART // (len(self.network_) * X.shape[1]))
        parts = [
            self.network_.predict(X[first : first + at_once])[:, -1]
            for first in range(0, len(X), at_once)
        ]
        return np.concatenate(parts)


# ---------------------------------------------------------------- helpers


def sample_weights(given: Any, y: np.ndarray) -> np.ndarray | None:
    """Return the weights of samples, checked, or None if none were given."""
    if given is None:
        return None
    weight = real_array("sample_weight", given, np.dtype(float))
    if weight.shape != y.shape[:1]:
        raise ShapeError(f"sample_weight must have shape {y.shape[:1]}; got {weight.shape}")
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise ParameterError("sample_weight must be finite, 0 or more, and not zero for all")
    return weight


def joined(before: History, after: History) -> History:
    """Return one history of two trainings; validation losses that are missing are NaN.

    >>> joined(History([0.5]), History([0.25, 0.125], [1.0, 2.0], best_epoch=0))
    <History of 3 epochs: loss 0.5 -> 0.125, validation nan -> 2, best at epoch 1>
    """
    validation: list[float] = []
    if before.validation_loss or after.validation_loss:
        for part in before, after:
            validation += part.validation_loss or [math.nan] * len(part)
    best = None if after.best_epoch is None else len(before) + after.best_epoch
    return History(
        before.loss + after.loss,
        validation,
        before.seconds + after.seconds,
        after.interrupted,
        best,
    )
