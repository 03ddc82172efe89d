"""What a query says, found on columns: numbers by NumPy, labels once for each that there is."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neurograph.errors import ParameterError, suggest
from neurograph.inspection.columns import Columns, Labels
from neurograph.inspection.grammar import Node, brief, parse, wrong

__all__ = ["chosen"]

ARITHMETIC: dict[str, Callable] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": np.power,
}
COMPARE: dict[str, Callable] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ELEMENTWISE: dict[str, Callable] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
}
# Of one number they are over all elements, of several element by element.
EXTREMES: dict[str, tuple[Callable, Callable]] = {
    "min": (np.min, np.minimum),
    "max": (np.max, np.maximum),
}
OVER_ALL: dict[str, Callable] = {
    "mean": np.mean,
    "median": np.median,
    "std": np.std,
    "sum": np.sum,
    "quantile": np.quantile,
}
OF_TEXT: dict[str, Callable] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": operator.contains,
}
FUNCTIONS = (*ELEMENTWISE, *EXTREMES, *OVER_ALL, *OF_TEXT)


def chosen(columns: Columns, text: str, given: Mapping[str, Any]) -> np.ndarray:
    """Return for which elements a query is true, a (n,) bool array.

    Parameters
    ----------
    columns : Columns
    text : str
        See `neurograph.inspection.grammar`.
    given : mapping
        What stands for each ``@name`` in it.

    Raises
    ------
    ParameterError
        With the place in the text: its grammar is wrong, a column or a value is unknown, or
        something does not go together, as a name and a number.
    """
    tree = parse(text)
    with np.errstate(all="ignore"):  # 1 / 0 is inf, and no element of the query is to blame
        found = _Question(columns, text, given).condition(tree)
    return np.broadcast_to(found, len(columns))


class _Question:
    def __init__(self, columns: Columns, text: str, given: Mapping[str, Any]):
        self.columns, self.text, self.given = columns, text, given

    def wrong(self, at: int, problem: str) -> ParameterError:
        return wrong(self.text, at, problem)

    def value(self, node: Node) -> Any:
        """Return numbers, labels, or a single value."""
        return getattr(self, f"_{node.kind}")(node)

    def condition(self, node: Node) -> Any:
        """Return what is true of which element."""
        found = self.value(node)
        if not isinstance(found, (bool, np.bool_)) and not _is_condition(found):
            what = _kind(found)
            raise self.wrong(node.at, f"this is {what}, not a condition; compare it with something")
        return found

    def numbers(self, node: Node, what: str) -> Any:
        """Return numbers that one can compute with."""
        found = self.value(node)
        if not _numeric(found):
            raise self.wrong(node.at, f"{what} takes numbers; this is {_kind(found)}")
        return _computable(found)

    # -- values

    def _constant(self, node: Node) -> Any:
        return node.value

    def _column(self, node: Node) -> Any:
        try:
            return self.columns.get(node.value)
        except KeyError:
            known = self.columns.known()
            hint = suggest(node.value, known)
            if node.value in FUNCTIONS:
                hint = f" It is a function: {node.value}(...)"
            elif not hint:
                hint = f" There are {', '.join(known[:40])}"
            raise self.wrong(node.at, f"unknown column {brief(node.value)!r}.{hint}") from None

    def _given(self, node: Node) -> Any:
        try:
            found = self.given[node.value]
        except KeyError:
            name = brief(node.value)
            problem = f"nothing is given for @{name}: query(text, {name}=...)."
            problem += suggest(node.value, self.given)
            raise self.wrong(node.at, problem) from None
        if isinstance(found, (np.generic, np.ndarray)) and not np.ndim(found):
            found = found.item()
        if isinstance(found, (list, np.ndarray)):
            array = np.asarray(found) if np.ndim(found) == 1 else np.empty(0)
            if array.shape != (len(self.columns),) or array.dtype.kind not in "biuf":
                raise self.wrong(
                    node.at,
                    f"@{node.value} must be one value, a number for each of"
                    f" {len(self.columns)} elements, or a list after in",
                )
            return array
        return found

    def _sign(self, node: Node) -> Any:
        found = self.numbers(node.parts[0], f"the sign {node.value}")
        return -found if node.value == "-" else found

    def _chain(self, node: Node) -> Any:
        total = self.numbers(node.parts[0], node.value[0][0])
        for (sign, _), part in zip(node.value, node.parts[1:], strict=True):
            total = _number(ARITHMETIC[sign](*_exact(total, self.numbers(part, sign))))
        return total

    # -- conditions

    def _or(self, node: Node) -> Any:
        return _every(np.logical_or, [self.condition(part) for part in node.parts])

    def _and(self, node: Node) -> Any:
        return _every(np.logical_and, [self.condition(part) for part in node.parts])

    def _not(self, node: Node) -> Any:
        return np.logical_not(self.condition(node.parts[0]))

    def _compare(self, node: Node) -> Any:
        values = [self.value(part) for part in node.parts]
        found = [
            self.compared(sign, at, values[i], values[i + 1])
            for i, (sign, at) in enumerate(node.value)
        ]
        return _every(np.logical_and, found)

    def compared(self, sign: str, at: int, a: Any, b: Any) -> Any:
        """Return where a and b compare as the sign says."""
        compare, equality = COMPARE[sign], sign in ("==", "!=")
        if isinstance(a, Labels) and isinstance(b, Labels):
            if not equality:
                raise self.wrong(at, f"{sign} compares numbers, or a column with a single value")
            same = _same_label(a, b)
            return same if sign == "==" else ~same
        if isinstance(a, Labels) or isinstance(b, Labels):
            labels, one = (a, b) if isinstance(a, Labels) else (b, a)
            if isinstance(one, np.ndarray):
                raise self.wrong(at, f"{sign} of numbers and labels: {_kind(b)} on the right")
            turned = compare if labels is a else COMPARE[TURNED[sign]]
            return labels.where(_hold(turned, labels.values, one))
        if equality and (a is None or b is None) and (_numeric(a) or _numeric(b)):
            missing = np.isnan(a if b is None else b)  # a user's number that is not there
            return missing if sign == "==" else ~missing
        if _numeric(a) and _numeric(b):
            return compare(a, b)
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            raise self.wrong(at, f"{sign} cannot compare {_kind(a)} with {_kind(b)}")
        return _holds(compare, a, b)

    def _in(self, node: Node) -> Any:
        element, items = self.value(node.parts[0]), node.parts[1]
        if items.kind == "list":
            among = [self.value(part) for part in items.parts]
            for part, one in zip(items.parts, among, strict=True):
                if isinstance(one, (np.ndarray, Labels)):
                    raise self.wrong(part.at, "a list after in holds single values, not columns")
        else:
            among = self.listed(items)
        if _numeric(element):
            numbers = [one for one in among if _numeric(one)]
            found = np.isin(element, numbers)
            return found if isinstance(element, np.ndarray) else bool(found)
        if not isinstance(element, Labels):
            return any(_holds(operator.eq, element, one) for one in among)
        known = _Among(among)
        true = (v in known for v in (*element.values, None))
        return element.where(np.fromiter(true, bool, len(element.values) + 1))

    def listed(self, node: Node) -> list:
        """Return what is given for @name after `in`."""
        found = self.given.get(node.value, self)
        if found is self:
            return self._given(node)
        if isinstance(found, str) or not hasattr(found, "__iter__"):
            raise self.wrong(node.at, f"in takes a list; @{node.value} is {found!r:.40}")
        return found.tolist() if isinstance(found, np.ndarray) else list(found)

    # -- functions

    def _call(self, node: Node) -> Any:
        name, n = node.value, len(node.parts)
        if name not in FUNCTIONS:
            known = suggest(name, FUNCTIONS) or f" There are {', '.join(FUNCTIONS)}"
            raise self.wrong(node.at, f"unknown function {brief(name)!r}.{known}")
        two = name in OF_TEXT or name == "quantile"
        if n != 1 + two and not (name in EXTREMES and n > 1):
            takes = "two values" if two else "one value"
            more = " or more" if name in EXTREMES else ""
            raise self.wrong(node.at, f"{name} takes {takes}{more}, got {n}")
        if name in OF_TEXT:
            return self.of_text(node)
        values = [self.numbers(part, name) for part in node.parts]
        if name in ELEMENTWISE:
            return _number(ELEMENTWISE[name](values[0]))
        if n > 1 and name in EXTREMES:
            return _every(EXTREMES[name][1], values)
        if not np.size(values[0]):
            return math.nan
        if two and not (np.ndim(values[1]) == 0 and 0 <= values[1] <= 1):
            raise self.wrong(node.parts[1].at, "a quantile is a number from 0 to 1")
        function = EXTREMES[name][0] if name in EXTREMES else OVER_ALL[name]
        return float(function(*values))

    def of_text(self, node: Node) -> Any:
        """Return which labels a function of texts is true of; one that is no text has it not."""
        labels, part = (self.value(one) for one in node.parts)
        if not isinstance(labels, Labels):
            raise self.wrong(node.parts[0].at, f"{node.value} takes a column of names or words")
        if not isinstance(part, str):
            raise self.wrong(node.parts[1].at, f"{node.value} takes a text, as 'h.'")
        test = OF_TEXT[node.value]
        true = (isinstance(v, str) and test(v, part) for v in (*labels.values, None))
        return labels.where(np.fromiter(true, bool, len(labels.values) + 1))


# ---------------------------------------------------------------- values

TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _Among:
    """What `in` looks through; values that cannot be hashed one by one."""

    def __init__(self, values: list):
        self.single = values
        try:
            self.hashed = set(values)
        except TypeError:
            self.hashed = set()

    def __contains__(self, value: object) -> bool:
        try:
            if self.hashed:
                return value in self.hashed
        except TypeError:
            pass
        return any(_holds(operator.eq, value, one) for one in self.single)


def _hold(compare: Callable, values: list, one: Any) -> np.ndarray:
    """Return which values compare so with one, and whether None does."""
    try:
        return np.fromiter([*(compare(v, one) for v in values), _holds(compare, None, one)], bool)
    except (TypeError, ValueError):  # some have no order
        return np.fromiter((_holds(compare, v, one) for v in (*values, None)), bool)


def _holds(compare: Callable, a: Any, b: Any) -> bool:
    """Whether two values compare so; False where they have no order."""
    try:
        return bool(compare(a, b))
    except (TypeError, ValueError):
        return False


def _same_label(a: Labels, b: Labels) -> np.ndarray:
    if a.values is b.values:
        return a.codes == b.codes
    number: dict[Any, int] = {}

    def numbered(labels: Labels) -> np.ndarray:
        found = np.empty(len(labels.values) + 1, np.int64)
        for code, value in enumerate((*labels.values, None)):
            try:
                found[code] = number.setdefault(value, len(number))
            except TypeError:  # equal to nothing else
                found[code] = number.setdefault(object(), len(number))
        return found[labels.codes]

    return numbered(a) == numbered(b)


def _every(join: Callable, values: list) -> Any:
    total = values[0]
    for one in values[1:]:
        total = join(total, one)
    return total


def _is_condition(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "b"


def _numeric(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return True
    return isinstance(value, (int, float, np.number, np.bool_))


def _computable(value: Any) -> Any:
    """Return whole numbers and flags as floats: they have no end and no negative powers."""
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind == "f" else value.astype(float)
    return float(value)


def _exact(a: Any, b: Any) -> tuple[Any, Any]:
    """Return two operands; two single numbers as NumPy's, which divide by 0 without an error."""
    single = not (isinstance(a, np.ndarray) or isinstance(b, np.ndarray))
    return (np.float64(a), np.float64(b)) if single else (a, b)


def _number(value: Any) -> Any:
    """Return a single number as Python's, which takes the precision of what it meets."""
    return value.item() if isinstance(value, np.generic) else value


def _kind(value: Any) -> str:
    if isinstance(value, Labels):
        return "a column of names or words"
    if isinstance(value, np.ndarray):
        return "a condition" if _is_condition(value) else "a column of numbers"
    if isinstance(value, str):
        return f"the text {brief(value)!r}"
    return f"the number {value:g}" if isinstance(value, float) else repr(value)
