"""The table, as text or Markdown, and the JSON."""

from __future__ import annotations

from dataclasses import asdict

from benchmarks.measure import Result

__all__ = ["as_json", "markdown", "table"]

HEAD = ["row", "contender", "median", "range", "ratio", ""]
SCALES = {
    "seconds": [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")],
    "bytes": [(1, "bytes")],
}


def as_json(results: list[Result], machine: dict, absent: dict[str, str]) -> dict:
    """Return everything that was found, samples in seconds (or bytes)."""
    found = [{**asdict(result), "median": result.median} for result in results]
    return {"machine": machine, "absent": absent, "results": found}


def table(results: list[Result]) -> str:
    """Return the results in columns; a ratio is a contender's median by neurograph's."""
    lines = [HEAD, *_lines(results)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return "\n".join(_columns(line, widths).rstrip() for line in lines)


def markdown(results: list[Result]) -> str:
    """Return the results as a Markdown table."""
    rule = ["---", "---", "---:", "---:", "---:", "---"]
    return "\n".join(f"| {' | '.join(line)} |" for line in [HEAD, rule, *_lines(results)])


def _columns(line: list[str], widths: list[int]) -> str:
    left = {0, 1, len(line) - 1}
    parts = [
        text.ljust(width) if i in left else text.rjust(width)
        for i, (text, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(parts)


def _lines(results: list[Result]) -> list[list[str]]:
    return [_line(result) for result in results]


def _line(result: Result) -> list[str]:
    row = f"{result.row}, {result.case}" if result.case else result.row
    if result.median is None:
        return [row, result.contender, "", "", "", result.problem]
    scale, unit = _scale(result.median, result.unit)
    low, high = (_digits(f(result.samples) / scale) for f in (min, max))
    ratio = "" if result.ratio is None else f"{_digits(result.ratio)}×"
    article = "an" if result.per[0] in "aeiou" else "a"
    median = f"{_digits(result.median / scale)} {unit} {article} {result.per}"
    return [row, result.contender, median, f"{low} … {high}", ratio, result.note]


def _scale(value: float, unit: str) -> tuple[float, str]:
    scales = SCALES[unit]
    return next((one for one in scales if value >= one[0]), scales[-1])


def _digits(value: float) -> str:
    """Return a number with three significant digits, and no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
