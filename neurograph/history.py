"""What happened in training, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neurograph.errors import ParameterError

__all__ = ["History"]


@dataclass
class History:
    """What happened in training.

    Attributes
    ----------
    loss : list of float
        Mean loss over the samples of each epoch, as they were met (before each update).
    validation_loss : list of float
        Mean loss over the validation data after each epoch; empty if there are none.
    seconds : float
        How long it took.
    interrupted : bool
        Whether Ctrl-C ended it.
    best_epoch : int or None
        The epoch, from 0, whose parameters `EarlyStopping` has restored.

    Examples
    --------
    >>> History([0.5, 0.25])
    <History of 2 epochs: loss 0.5 -> 0.25>
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False
    best_epoch: int | None = None

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        epochs = f"{len(self)} epoch{'s' * (len(self) != 1)}"
        ends = f": loss {self.loss[0]:.6g} -> {self.loss[-1]:.6g}" if self.loss else ""
        if self.validation_loss:
            ends += f", validation {self.validation_loss[0]:.6g} -> {self.validation_loss[-1]:.6g}"
        ends += f", best at epoch {self.best_epoch}" if self.best_epoch is not None else ""
        return f"<History of {epochs}{ends}{', interrupted' if self.interrupted else ''}>"

    def columns(self) -> dict[str, list[float]]:
        """Return the series by name."""
        found = {"loss": self.loss}
        return found | ({"validation_loss": self.validation_loss} if self.validation_loss else {})

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row for each epoch (extra `pandas`)."""
        try:
            import pandas
        except ImportError:
            raise ParameterError(
                "to_pandas needs pandas: pip install 'neurograph[pandas]'; or take history.loss"
            ) from None
        return pandas.DataFrame(self.columns()).rename_axis("epoch")

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses against the epochs; return the axes (extra `matplotlib`).

        Parameters
        ----------
        ax : matplotlib axes, optional
            Where to draw; a new figure unless given.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ParameterError(
                "plot needs matplotlib: pip install 'neurograph[matplotlib]'"
            ) from None
        ax = Figure(figsize=(5, 3.2), layout="constrained").add_subplot() if ax is None else ax
        for (name, values), line in zip(self.columns().items(), ("-", "--"), strict=False):
            ax.plot(range(len(values)), values, line, label=name.replace("_", " "))
        if self.best_epoch is not None:
            ax.axvline(self.best_epoch, color="0.6", linewidth=1, label="best")
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss")
        if len(ax.get_legend_handles_labels()[0]) > 1:
            ax.legend(frameon=False)
        return ax
