"""Who says the vowel? Nine speakers, sequences of different lengths, a network of gated cells.

    python docs/examples/vowels.py

Japanese vowels (Kudo, Toyama & Shimbo 1999): 270 sequences of 7 to 29 steps to learn from, 370
to test with, 12 numbers a step. An LSTM, every gate of it a neuron; it is asked once, at the
last step of each sequence.
"""

from __future__ import annotations

import argparse

import numpy as np

import neurograph as ng


def main(arguments: list[str] | None = None) -> list[float]:
    """Train from some seeds; print and return the accuracies on the test set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--cells", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(arguments)
    data = ng.datasets.japanese_vowels()
    steps = data.train.X[data.train.mask]
    mean, deviation = steps.mean(0), steps.std(0)
    X, X_test = ((part.X - mean) / deviation for part in (data.train, data.test))
    accuracies = []
    for seed in range(options.seeds):
        net = ng.lstm(12, options.cells, 9, activation="tanh", output_activation="identity",
                      peepholes=None, seed=seed)  # fmt: skip
        history = net.fit(
            X,
            data.train.y,
            lengths=data.train.lengths,
            epochs=options.epochs,
            batch_size=18,
            optimizer=ng.Adam(0.01, clip_norm=1.0),
            loss="categorical_cross_entropy",
        )
        accuracies.append(data.test.accuracy(net.predict(X_test)))
        print(f"seed {seed}: {accuracies[-1]:.2%} of the test set; {history}", flush=True)
    print(f"mean {np.mean(accuracies):.2%}, least {min(accuracies):.2%}; {net!r}")
    return accuracies


if __name__ == "__main__":
    main()
