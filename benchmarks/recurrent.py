"""Rows recurrent-step and recurrent-10: a connectome's size, all synapses of delay 1, float32."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import pairwise

import numpy as np

from benchmarks import ours
from benchmarks.graphs import Graph, recurrent
from benchmarks.levels import synapse_gradient
from benchmarks.measure import Case, Contender, Entry, timed
from benchmarks.options import Options

__all__ = ["recurrent_step", "recurrent_ten"]

TOLERANCE = 1e-3  # float32
STEPS = 10


class Work:
    """A graph, the inputs of T steps, ∂L/∂y of the outputs at each, and the outputs before.

    X : (T, n_in), d_output : (T, n_out), before : (n,) float32
    """

    def __init__(self, options: Options, steps: int):
        self.graph = recurrent(100, 1_000, ports=10) if options.quick else _connectome()
        rng = np.random.default_rng(1)
        self.X = rng.standard_normal((steps, self.graph.n_in), np.float32)
        self.d_output = rng.standard_normal((steps, self.graph.n_out), np.float32)
        self.before = np.tanh(rng.standard_normal(self.graph.n, np.float32))

    @cached_property
    def plan(self):
        """Made when it is needed first; a peer alone needs none."""
        return ours.plan_of(self.graph)

    @cached_property
    def csr(self):
        """The weights as a scipy.sparse CSR array, row: target."""
        from scipy.sparse import csr_array

        indices = self.graph.source.astype(np.int32), self.graph.indptr.astype(np.int32)
        return csr_array((self.graph.weight, *indices), shape=(self.graph.n, self.graph.n))


def _connectome() -> Graph:
    return recurrent(139_000, 15_000_000)


def recurrent_step(options: Options) -> Iterator[Case]:
    """139,000 neurons, 15 M synapses: one step of one sample."""
    work = Work(options, 1)
    for threads in (1,) if options.quick else (1, 2):
        entries = [
            Entry("neurograph", partial(_neurograph_step, work, threads)),
            Entry("SciPy CSR, one thread", partial(_step, work, _scipy_product), "scipy"),
            Entry("PyTorch sparse CSR", partial(_torch_step, work, threads), "torch"),
        ]
        yield Case(_threads(threads), entries, per="step", tolerance=TOLERANCE)


def recurrent_ten(options: Options) -> Iterator[Case]:
    """The same, ten steps through time, and the gradient of every synapse."""
    work = Work(options, STEPS)
    for threads in (1,) if options.quick else (1, 2):
        entries = [
            Entry("neurograph", partial(_neurograph_ten, work, threads)),
            Entry("SciPy CSR by hand", partial(_by_hand, work), "scipy"),
            Entry("PyTorch index_add", partial(_torch_ten, work, threads), "torch"),
        ]
        yield Case(_threads(threads), entries, per="run", tolerance=TOLERANCE)


def _threads(n: int) -> str:
    return f"{n} thread{'s' * (n > 1)}"


def _neurograph_step(work: Work, threads: int) -> Contender:
    graph, before = work.graph, work.before[:, None]
    run = partial(ours.forward, work.plan, graph.weight, graph.bias, work.X[:, :, None], before)

    def numbers() -> dict:
        ours.set_threads(threads)
        return {"outputs": run().of()[0, :, 0]}

    return Contender(timed(run, before=lambda: ours.set_threads(threads)), numbers)


def _neurograph_ten(work: Work, threads: int) -> Contender:
    graph, given = work.graph, (work.X[:, :, None], work.d_output[:, :, None])
    run = partial(ours.forward_backward, work.plan, graph.weight, graph.bias, *given)
    run = partial(run, work.before[:, None])

    def numbers() -> dict:
        ours.set_threads(threads)
        found = run()
        return _found(found.y.of()[-1, :, 0], found.d_weight, found.d_bias)

    return Contender(timed(run, before=lambda: ours.set_threads(threads)), numbers)


def _found(y: np.ndarray, d_weight: np.ndarray, d_bias: np.ndarray) -> dict:
    return {"outputs": y, "weight gradient": d_weight, "bias gradient": d_bias}


def _step(work: Work, product: Callable) -> Contender:
    """One step, y = tanh(W y + b), with the product W y of a library."""
    multiply = product(work)

    def run() -> np.ndarray:
        y = np.tanh(multiply(work.before) + work.graph.bias)
        y[: work.graph.n_in] = work.X[0]
        return y

    return Contender(timed(run), lambda: {"outputs": run()})


def _scipy_product(work: Work) -> Callable:
    return lambda y: work.csr @ y


def _torch_step(work: Work, threads: int) -> Contender:
    import torch

    graph = work.graph
    pieces = (torch.from_numpy(a.astype(np.int32)) for a in (graph.indptr, graph.source))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "Sparse CSR tensor support is in beta"
        W = torch.sparse_csr_tensor(*pieces, torch.from_numpy(graph.weight), (graph.n, graph.n))
    before, bias, x = map(torch.from_numpy, (work.before, graph.bias, work.X[0]))

    def run() -> np.ndarray:
        y = torch.tanh(W @ before + bias)
        y[: graph.n_in] = x
        return y.numpy()

    def set_threads() -> None:
        torch.set_num_threads(threads)

    def numbers() -> dict:
        set_threads()
        return {"outputs": run()}

    return Contender(timed(run, before=set_threads), numbers)


def _by_hand(work: Work) -> Contender:
    """Forward by W, backward by its transpose, gradients from the two vectors of each step."""
    graph, W = work.graph, work.csr
    transposed = W.T.tocsr()
    is_input = np.arange(graph.n) < graph.n_in

    def run() -> dict:
        y = [work.before]
        for x in work.X:
            y.append(np.tanh(W @ y[-1] + graph.bias))
            y[-1][: graph.n_in] = x
        d_weight, d_bias = np.zeros_like(graph.weight), np.zeros_like(graph.bias)
        delta = np.zeros_like(graph.bias)
        for d, (earlier, now) in zip(work.d_output[::-1], list(pairwise(y))[::-1], strict=True):
            epsilon = transposed @ delta
            epsilon[-graph.n_out :] += d
            delta = np.where(is_input, np.float32(0), epsilon * (1 - now**2))
            d_weight += synapse_gradient(graph, earlier, delta)
            d_bias += delta
        return _found(y[-1], d_weight, d_bias)

    return Contender(timed(run), run)


def _torch_ten(work: Work, threads: int) -> Contender:
    """Gather, multiply, index_add in each step; gradients by autograd."""
    import torch

    graph = work.graph
    weight, bias = (torch.tensor(a, requires_grad=True) for a in (graph.weight, graph.bias))
    source, target = map(torch.from_numpy, (graph.source, graph.target))
    X, d_output, before = map(torch.from_numpy, (work.X, work.d_output, work.before))

    def run() -> dict:
        torch.set_num_threads(threads)
        weight.grad = bias.grad = None
        y, loss = before, 0.0
        for x, d in zip(X, d_output, strict=True):
            s = bias.index_add(0, target, weight * y.index_select(0, source))
            y = torch.cat([x, torch.tanh(s[graph.n_in :])])
            loss = loss + (y[-graph.n_out :] * d).sum()
        loss.backward()
        return _found(y.detach().numpy(), weight.grad.numpy(), bias.grad.numpy())

    return Contender(timed(run), run)
