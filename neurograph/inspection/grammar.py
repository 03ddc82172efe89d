"""The language of `query`: from a text to a tree, by recursive descent."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from neurograph.errors import ParameterError

__all__ = ["Node", "parse", "wrong"]

DEEPEST = 40  # nested parentheses and signs: nine calls each, and Python allows a thousand
CONSTANTS = {"True": True, "False": False, "None": None, "nan": math.nan, "inf": math.inf}
SYNONYMS = {"|": "or", "&": "and", "~": "not", "!": "not"}
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
WORDS = ("or", "and", "not", "in")

TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<quoted>`[^`]+`)
    |(?P<given>@[^\W\d]\w*)
    |(?P<word>[^\W\d]\w*(?:\.[^\W\d]\w*)?)
    |(?P<sign>\*\*|//|<=|>=|==|!=|[-+*/%<>()\[\],|&~!])
    )""",
    re.VERBOSE | re.DOTALL,
)


class Node(NamedTuple):
    """A part of a query.

    kind : "constant", "column", "given", "call", "list", "in", "not", "sign", "chain" (of
        operators of one rank, from left to right), "compare", "or" or "and"
    at : where it stands in the text
    value : what it says: a constant, a name, operators
    parts : what it is made of
    """

    kind: str
    at: int
    value: Any = None
    parts: tuple[Node, ...] = ()


class Token(NamedTuple):
    """A word of a query: what kind, what it says, and where it begins."""

    kind: str
    text: str
    at: int


def wrong(text: str, at: int, problem: str) -> ParameterError:
    """Return an error that shows where a query is wrong.

    >>> print(wrong("weight >", 8, "a value is missing"))
    query: a value is missing
      weight >
              ^
    """
    before = text[:at]
    line = before.count("\n")
    column = len(before) - (before.rfind("\n") + 1)
    shown = text.split("\n")[line]
    begin = max(0, column - 60)  # a long line is shown around the place
    return ParameterError(
        f"query: {problem}\n  {shown[begin : begin + 100]}\n  {' ' * (column - begin)}^"
    )


def parse(text: str) -> Node:
    """Return the tree of a query, or say where it is wrong.

    >>> parse("a < 1").kind
    'compare'
    """
    if not isinstance(text, str):
        raise ParameterError(f'a query is a text, as "abs(weight) > 0.5"; got {text!r:.80}')
    return _Parser(text).all()


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise wrong(text, at, _strange(text[at]))
        kind = str(match.lastgroup)
        begin = match.start(kind)
        found.append(Token(kind, match[kind], begin))
        at = match.end()
    return [*found, Token("end", "", len(text.rstrip()))]


def _strange(sign: str) -> str:
    if sign == "=":
        return "a single = means nothing here; == compares"
    if sign in "'\"`":
        return f"this {sign} is not closed"
    return f"unexpected {sign!r}"


# The grammar, from what binds least to what binds most:
#
#     or          = and { ("or" | "|") and }
#     and         = not { ("and" | "&") not }
#     not         = ("not" | "~" | "!") not | comparison
#     comparison  = sum { ("==" | "!=" | "<" | "<=" | ">" | ">=") sum } | sum ["not"] "in" list
#     sum         = product { ("+" | "-") product }
#     product     = unary { ("*" | "/" | "//" | "%") unary }
#     unary       = ("-" | "+") unary | power
#     power       = atom [ "**" unary ]
#     atom        = number | text | column | "`" column "`" | "@" value | "(" or ")"
#                 | function "(" or { "," or } ")" | "True" | "False" | "None" | "nan" | "inf"
#     list        = "[" [ or { "," or } ] "]" | "@" value


class _Parser:
    def __init__(self, text: str):
        self.text, self.tokens, self.i, self.depth = text, _tokens(text), 0, 0

    # -- tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.i]

    def operator(self) -> str:
        """Return the operator or keyword that comes next, "" if it is something else."""
        token = self.token
        if token.kind == "sign":
            return SYNONYMS.get(token.text, token.text)
        return token.text if token.kind == "word" and token.text in WORDS else ""

    def take(self) -> Token:
        token = self.token
        self.i += 1
        return token

    def expect(self, sign: str, why: str) -> None:
        if self.operator() != sign:
            raise wrong(self.text, self.token.at, why)
        self.take()

    # -- the grammar

    def all(self) -> Node:
        if self.token.kind == "end":
            raise wrong(self.text, 0, "nothing is asked; write for example abs(weight) > 0.5")
        node = self.either()
        if self.token.kind != "end":
            raise wrong(self.text, self.token.at, f"unexpected {self.token.text!r}")
        return node

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise wrong(self.text, self.token.at, f"nested more than {DEEPEST} deep")

    def many(self, kind: str, part: Callable[[], Node]) -> Node:
        """Read parts joined by `kind`, which is "or" or "and"."""
        at, parts = self.token.at, [part()]
        places = []
        while self.operator() == kind:
            places.append(self.take().at)
            parts.append(part())
        return parts[0] if len(parts) == 1 else Node(kind, at, places, tuple(parts))

    def either(self) -> Node:
        self.deeper()
        node = self.many("or", self.both)
        self.depth -= 1
        return node

    def both(self) -> Node:
        return self.many("and", self.negated)

    def negated(self) -> Node:
        if self.operator() != "not":
            return self.comparison()
        at = self.take().at
        self.deeper()
        node = Node("not", at, None, (self.negated(),))
        self.depth -= 1
        return node

    def comparison(self) -> Node:
        first = self.sum()
        at, negated = self.token.at, self.operator() == "not"
        if negated:
            self.take()
            if self.operator() != "in":
                raise wrong(self.text, self.token.at, "after this not, in is missing")
        if self.operator() == "in":
            self.take()
            node = Node("in", at, None, (first, self.list()))
            return Node("not", at, None, (node,)) if negated else node
        return self.joined("compare", first, COMPARISONS, self.sum)

    def joined(
        self, kind: str, first: Node, operators: tuple[str, ...], part: Callable[[], Node]
    ) -> Node:
        """Read what follows `first`: operators of one rank, each with a part."""
        said, parts = [], [first]
        while self.operator() in operators:
            token = self.take()
            said.append((token.text, token.at))
            parts.append(part())
        return Node(kind, first.at, tuple(said), tuple(parts)) if said else first

    def sum(self) -> Node:
        return self.joined("chain", self.product(), ("+", "-"), self.product)

    def product(self) -> Node:
        return self.joined("chain", self.unary(), ("*", "/", "//", "%"), self.unary)

    def unary(self) -> Node:
        if self.operator() not in ("-", "+"):
            return self.power()
        token = self.take()
        self.deeper()
        node = Node("sign", token.at, token.text, (self.unary(),))
        self.depth -= 1
        return node

    def power(self) -> Node:
        base = self.atom()
        if self.operator() != "**":
            return base
        token = self.take()
        self.deeper()
        node = Node("chain", base.at, (("**", token.at),), (base, self.unary()))
        self.depth -= 1
        return node

    def atom(self) -> Node:
        token = self.token
        if token.kind == "sign" and token.text == "(":
            self.take()
            node = self.either()
            if self.operator() == ",":
                reason = "a tuple is no value here; give it as source == @name, name=(1, 2)"
                raise wrong(self.text, token.at, reason)
            self.expect(")", "a ) is missing here")
            return node
        if token.kind in ("sign", "end") or self.operator():
            got = f", not {token.text!r}" if token.text else ""
            raise wrong(self.text, token.at, f"a value is missing here{got}")
        self.take()
        if token.kind == "number":
            return Node("constant", token.at, float(token.text))
        if token.kind == "text":
            return Node("constant", token.at, re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.S))
        if token.kind == "given":
            return Node("given", token.at, token.text[1:])
        if token.kind == "quoted":
            return Node("column", token.at, token.text[1:-1])
        if token.text in CONSTANTS:
            return Node("constant", token.at, CONSTANTS[token.text])
        if self.token.text == "(" and self.token.kind == "sign":
            self.take()
            return Node("call", token.at, token.text, self.items(")"))
        return Node("column", token.at, token.text)

    def items(self, end: str) -> tuple[Node, ...]:
        """Read values with commas between them, and what ends them."""
        found: list[Node] = []
        while self.operator() != end:
            if found:
                self.expect(",", f"a comma or {end} is missing here")
            found.append(self.either())
        self.take()
        return tuple(found)

    def list(self) -> Node:
        token = self.token
        if token.kind == "given":
            self.take()
            return Node("given", token.at, token.text[1:])
        self.expect("[", "in takes a list, as source in ['a', 'b']")
        return Node("list", token.at, None, self.items("]"))
