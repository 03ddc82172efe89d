"""The laws of pictures: nothing lies on anything else, everything that there is can be seen."""

import importlib.util
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

import neurograph as ng
from neurograph.viz import columns
from neurograph.viz.curves import sampled
from neurograph.viz.ink import label, later, stroke
from neurograph.viz.layout import layout
from neurograph.viz.matrix import matrix
from neurograph.viz.scene import HEAD
from neurograph.viz.shapes import drawable, head, looks, values
from tests.strategies import networks

DOCS = Path(__file__).parents[1] / "docs"
pictured = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib"
)
WAYS = st.sampled_from(["level", "visit"])
HOSTILE = ["<script>alert(1)</script>", "$\\frac{$", 'a"b&c', "]]>", "two\nlines", "\x00\x1b", "\ud800",
           "\u202eright", ("<b>", 1), "x" * 500, "漢字かな交じり文の長い名前です", ""]  # fmt: skip


def overlap(a, b, by=0.0):
    """Whether two rectangles (left, top, right, bottom) share more than an edge."""
    return min(a[2], b[2]) - max(a[0], b[0]) > by and min(a[3], b[3]) - max(a[1], b[1]) > by


def hostile():
    """A network whose names are text that no page should take for its own."""
    net = ng.Network(seed=0)
    for k, name in enumerate(HOSTILE):
        net.add_neuron(name, role=("input", None, "output")[k % 3])
    for u, v in pairwise(HOSTILE):
        net.add_synapse(u, v)
    net.add_synapse(HOSTILE[3], HOSTILE[3], weight=1, note="<i>")
    net.gate(HOSTILE[0], net.edges[HOSTILE[3], HOSTILE[4]])
    return net


# ---------------------------------------------------------------- the layout


@settings(max_examples=25)
@given(net=networks(max_hidden=6), x=WAYS)
def test_nothing_lies_on_anything_else(net, x):
    found = layout(drawable(net), x=x)
    assert len(found.boxes) == len(net)
    for a, b in combinations(found.boxes, 2):
        assert not overlap(a.sides, b.sides)
    for line in found.lines:
        points = sampled(line.path)
        assert points.min() >= 0 and (points <= (found.width, found.height)).all()
        for box in found.boxes:
            left, top, right, bottom = box.sides
            inside = (points > (left + 0.1, top + 0.1)) & (points < (right - 0.1, bottom - 0.1))
            assert not inside.all(1).any(), f"{line.kind} {line.ends} crosses {box.name!r}"
    texts = [line for line in found.lines if line.text]
    for line in texts:
        assert not any(overlap(line.text_box, box.sides) for box in found.boxes)
    for a, b in combinations(texts, 2):
        assert not overlap(a.text_box, b.text_box)
    for gate in (line for line in found.lines if line.kind == "gate"):
        others = [line.text_box for line in texts if line is not gate]
        ring = (*(gate.tip - 2), *(gate.tip + 2))
        assert not any(overlap(ring, text) for text in others)


@settings(max_examples=25)
@given(net=networks(max_hidden=6), x=WAYS)
def test_lines_begin_and_end_where_they_should(net, x):
    plan = drawable(net)
    found = layout(plan, x=x)
    ends = {}
    for line in found.lines:
        if line.kind != "gate":
            u, v = (net.nodes[plan.name(j)] for j in line.ends)
            assert net.edges[u.name, v.name].loop == (line.kind == "self")
            ends[line.synapse] = line
    ports = set()
    for line in found.lines:
        for j, at in zip(line.ends, (line.path[0], line.tip), strict=True):
            if line.kind == "gate" and at is line.tip:
                on = sampled(ends[line.synapse].path, 200)
                assert np.hypot(*(on - at).T).min() < 1  # it ends on its synapse
                continue
            if at is line.tip:  # there is room for the head
                assert np.allclose(at - line.path[-1], HEAD * line.heading)
            left, top, right, bottom = found.boxes[j].sides
            x, y = at
            assert top <= y + 1e-9 and y <= bottom + 1e-9 and left - 1e-9 <= x <= right + 1e-9
            assert np.isclose([x - left, x - right, y - top], 0, atol=1e-6).any()
            assert (round(x, 3), round(y, 3)) not in ports  # each has a place of its own
            ports.add((round(x, 3), round(y, 3)))


@settings(max_examples=25)
@given(net=networks(max_hidden=6))
def test_columns_are_levels_and_delay_free_lines_go_right(net):
    plan = drawable(net)
    found = layout(plan)
    x = np.array([box.x for box in found.boxes])
    assert (np.sign(np.subtract.outer(x, x).round(6)) ==
            np.sign(np.subtract.outer(plan.level.astype(int), plan.level.astype(int)))).all()  # fmt: skip
    for line in found.lines:
        if line.kind == "synapse" and not line.late:
            assert x[line.ends[0]] < x[line.ends[1]] and line.heading[0] == 1


def test_a_layer_is_in_its_order_and_nothing_crosses_without_need():
    net = ng.perceptron(3, 3, seed=0)
    y = [box.y for box in layout(drawable(net)).boxes]
    assert y[:3] == sorted(y[:3]) and y[3:] == sorted(y[3:])
    net = ng.Network([("a", "p"), ("b", "q"), ("c", "r"), ("p", "z"), ("q", "y"), ("r", "x")])
    found = layout(drawable(net))
    curves = [sampled(line.path) for line in found.lines]
    for a, b in combinations(curves, 2):
        if abs(a[0, 0] - b[0, 0]) < 1:
            assert (a[0, 1] < b[0, 1]) == (a[-1, 1] < b[-1, 1])


@st.composite
def linked_columns(draw):
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    first = np.cumsum([0, *sizes])
    items = [list(range(a, b)) for a, b in pairwise(first.tolist())]
    links = [
        (a, b)
        for left, right in pairwise(items)
        for a, b in draw(st.lists(st.tuples(st.sampled_from(left), st.sampled_from(right))))
    ]
    return items, links


@given(linked_columns())
def test_sweeps_never_add_crossings(given_columns):
    items, links = given_columns
    found = columns.order(items, links)
    assert [sorted(column) for column in found] == items
    assert columns.crossings(found, links) <= columns.crossings(items, links)
    slow = sum(
        (a < c) != (b < d) and a != c and b != d
        for (a, b), (c, d) in combinations(links, 2)
        if any(a in column and c in column for column in items)
    )
    assert columns.crossings(items, links) == slow


@given(linked_columns(), st.lists(st.floats(1, 9), min_size=60, max_size=60))
def test_places_keep_order_and_distance(given_columns, sizes):
    items, links = given_columns
    above, below = sizes[:30], sizes[30:]
    y = columns.place(items, links, above[: sum(map(len, items))], below, 2.0)
    for column in items:
        for a, b in pairwise(column):
            assert y[b] - y[a] >= below[a] + above[b] + 2 - 1e-9


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=12))
def test_the_nearest_growing_numbers(wanted):
    expected = isotonic_regression(wanted).x
    assert np.allclose(columns._nearest(np.array(wanted)), expected, rtol=0, atol=1e-9)


# ---------------------------------------------------------------- what is drawn


def artists(ax):
    """All artists that have a name, by it."""
    found = {}
    for artist in ax.get_children():
        if artist.get_gid() and artist.get_gid() != "legend":
            assert artist.get_gid() not in found
            found[artist.get_gid()] = artist
    return found


@pictured
@settings(max_examples=15)
@given(net=networks(), x=WAYS)
def test_everything_has_an_artist(net, x):
    ax = net.draw("graph", x=x)
    plan, found = drawable(net), artists(ax)
    largest = max(abs(s.weight) for s in net.synapses)
    expected = {f"neuron:{j}" for j in range(len(net))} | {f"name:{j}" for j in range(len(net))}
    for e, (u, v) in enumerate(
        [*zip(plan.source, plan.target, strict=True), *zip(plan.cell, plan.cell, strict=True)]
    ):
        s = net.edges[plan.name(u), plan.name(v)]
        line = found[f"self:{e}" if s.loop else f"synapse:{e}"]
        colour, width = stroke(s.weight, largest)
        assert line.get_linewidth() == pytest.approx(width)
        assert line.get_edgecolor() == pytest.approx(_rgba(colour))
        dashed = line.get_linestyle() != "solid" and line.get_linestyle() != "-"
        assert dashed == (s.delay > 0)
        expected |= {line.get_gid(), f"head:{e}"}
        arrow = len(found[f"head:{e}"].get_xy()) == 4  # closed, so one more
        assert arrow == (s.weight >= 0)
        if s.delay:
            expected.add(f"delay:{e}")
            text = found[f"delay:{e}"].get_text()
            assert text == ("s z⁻¹" if s.reads == "state" else later(s.delay))
        if s.gater is not None:
            expected |= {f"gate:{e}", f"mark:{e}"}
            if s.gate_delay:
                expected.add(f"gate delay:{e}")
    assert set(found) == expected


def _rgba(colour):
    from matplotlib.colors import to_rgba

    return to_rgba(colour)


@pictured
@settings(max_examples=6)
@given(net=networks(max_hidden=6))
def test_names_fit_and_texts_overlap_nothing_as_they_are_rendered(net):
    ax = net.draw("graph")
    renderer = _renderer(ax)
    found = artists(ax)
    texts, boxes = {}, {}
    for gid, artist in found.items():
        kind = gid.split(":")[0]
        if kind in ("name", "delay", "gate delay"):
            texts[gid] = artist.get_window_extent(renderer)
        elif kind == "neuron":
            boxes[gid] = artist.get_window_extent(renderer)
    texts |= {f"legend {t.get_text()}": t.get_window_extent(renderer)
              for t in ax.texts if t.get_gid() == "legend"}  # fmt: skip
    page = ax.figure.bbox
    for gid, text in texts.items():
        own = boxes.get(gid.replace("name", "neuron"))
        if own is not None:
            assert own.x0 < text.x0 and text.x1 < own.x1 and own.y0 < text.y0 and text.y1 < own.y1
        assert page.x0 <= text.x0 and text.x1 <= page.x1
        assert not any(text.overlaps(box) for box in boxes.values() if box is not own)
    for a, b in combinations(texts.values(), 2):
        assert not a.overlaps(b)


def _renderer(ax):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return canvas.get_renderer()


@pictured
def test_a_picture_fits_the_axes_that_it_is_given():
    from matplotlib.figure import Figure

    net = ng.perceptron(2, 3, 1, seed=0)
    small = Figure(figsize=(2, 1)).add_subplot()
    assert net.draw(ax=small) is small
    renderer, found = _renderer(small), artists(small)
    for j in range(6):
        box = found[f"neuron:{j}"].get_window_extent(renderer)
        text = found[f"name:{j}"].get_window_extent(renderer)
        assert text.width < box.width and small.bbox.x0 <= box.x0 and box.x1 <= small.bbox.x1


@pictured
def test_drawing_leaves_the_network_as_it_is():
    for net in (ng.lstm(1, 2, 1, seed=0), ng.Network([("b", "c"), ("a", "b")])):
        for made in (None, net.plan):  # before it is planned, and afterwards
            made = made and made()
            rows, edits = net._store.synapses.row_of.copy(), net._store.edits
            net.draw(), net.draw("matrix"), net._repr_svg_()
            if made:
                net._repr_html_()  # its headline says whether a plan can be made
            assert (net._store.synapses.row_of == rows).all() and net._store.edits == edits
            assert net.__dict__.get("_plan") is made


@pictured
def test_gradients_are_drawn_where_they_are_asked_for():
    net = ng.Network([("a", "y", {"weight": 1.0}), ("b", "y", {"weight": -2.0})])
    net.inputs, net.outputs = ["a", "b"], ["y"]
    net.forward([1, 0])
    net.backward([0])
    widths = [looks(net, drawable(net), "grad")[e].width for e in (0, 1)]
    assert widths[0] > widths[1]
    found = artists(net.draw(show="grad"))
    assert found["synapse:0"].get_linewidth() == pytest.approx(widths[0])


def test_the_head_of_a_negative_synapse_is_a_bar():
    net = ng.Network([("a", "y", {"weight": 1.0})])
    line = layout(drawable(net)).lines[0]
    arrow, bar = head(line, 2, False), head(line, 2, True)
    assert len(arrow) == 3 and len(bar) == 8
    for outline in (arrow, bar):
        assert outline[:, 0].max() <= line.tip[0]


# ---------------------------------------------------------------- matrix


@settings(max_examples=25)
@given(net=networks())
def test_the_matrix_has_each_weight_at_target_and_source(net):
    plan = drawable(net)
    found = matrix(plan, values(net, plan))
    expected = np.full((len(net), len(net)), np.nan)
    for s in net.synapses:
        expected[plan.position[s.target], plan.position[s.source]] = s.weight
    assert np.array_equal(found, expected, equal_nan=True)
    late = np.triu(np.isfinite(found))
    for i, j in zip(*np.nonzero(late), strict=True):  # above the diagonal all is late
        assert net.edges[plan.name(j), plan.name(i)].delay > 0


def test_a_large_matrix_keeps_the_largest_of_each_cell():
    net = ng.perceptron(30, 20, 10, seed=0)
    plan = drawable(net)
    w = values(net, plan)
    full, small = matrix(plan, w), matrix(plan, w, pixels=12)
    for i, j in np.ndindex(12, 12):
        cell = full[np.ix_(np.arange(60) * 12 // 60 == i, np.arange(60) * 12 // 60 == j)]
        cell = cell[np.isfinite(cell)]
        expected = cell[np.argmax(np.abs(cell))] if len(cell) else np.nan
        assert np.array_equal(small[i, j], expected, equal_nan=True)


@pictured
def test_large_networks_are_drawn_as_a_matrix_and_small_ones_with_squares():
    large = ng.perceptron(50, 30, seed=0)
    assert len(large.draw().images) == 1 and large._repr_svg_() is None
    net = ng.Network([("a", "y", {"weight": 1.0}), ("b", "y", {"weight": -2.0})])
    net.add_synapse("y", "y", weight=0.5)
    net.gate("a", net.edges["b", "y"])
    found = artists(net.draw("matrix"))
    assert set(found) == {"cell:0", "cell:1", "cell:2", "late:2", "gate:1"}
    assert found["cell:0"].get_width() < found["cell:1"].get_width()
    assert found["cell:1"].get_facecolor() == (1, 1, 1, 1) != found["cell:0"].get_facecolor()


@pictured
@settings(max_examples=15)
@given(net=networks(max_hidden=6))
def test_squares_tell_size_sign_delay_and_gater_of_each_synapse(net):
    plan, n = drawable(net), len(net)
    ax = net.draw("matrix")
    names = [label(name) for name in plan.visits]
    assert [text.get_text() for text in ax.get_xticklabels()] == names
    assert [text.get_text() for text in ax.get_yticklabels()] == names
    assert ax.get_xlim() == (-0.5, n - 0.5) and ax.get_ylim() == (n - 0.5, -0.5)  # down, as read
    found, wanted = artists(ax), set()
    largest = max((abs(s.weight) for s in net.synapses), default=0.0) or 1.0
    for e, weight in enumerate(values(net, plan)):
        ends = int([*plan.source, *plan.cell][e]), int([*plan.target, *plan.cell][e])
        synapse = net.edges[plan.name(ends[0]), plan.name(ends[1])]
        assert weight == synapse.weight
        square = found[f"cell:{e}"]
        assert np.allclose(square.get_center(), ends, rtol=0, atol=1e-12)
        area = square.get_width() * square.get_height() / 0.68**2
        assert area == pytest.approx(min(1.0, max(0.1, abs(weight) / largest)), rel=1e-6)
        assert (square.get_facecolor() != (1, 1, 1, 1)) == (weight > 0)
        wanted |= {f"cell:{e}"}
        wanted |= {f"late:{e}"} if synapse.delay else set()
        wanted |= {f"gate:{e}"} if synapse.gater is not None else set()
        for kind in wanted & {f"late:{e}", f"gate:{e}"}:
            assert found[kind].center == ends and found[kind].zorder > square.zorder
    assert set(found) == wanted
    said = ax.get_title(loc="left")
    assert "filled: positive, open: negative" in said
    assert ("dot: late" in said) == any(gid.startswith("late") for gid in wanted)
    assert ("ring: gated" in said) == any(gid.startswith("gate") for gid in wanted)


@pictured
def test_the_image_of_a_large_matrix_has_a_scale_that_tells_the_sign():
    net = ng.perceptron(50, 30, seed=0)
    net.edges["input.0", "output.0"].weight = -8.0
    ax = net.draw()
    image, bar = ax.images[0], ax.figure.axes[1]
    assert bar.get_yticks().tolist() == [-8, -2, 0, 2, 8]
    assert bar.get_ylim() == pytest.approx((-8, 8)) and bar.get_ylabel() == "weight"
    assert np.allclose(image.norm([-8, -2, 0, 2, 8]), [0, 0.25, 0.5, 0.75, 1], rtol=0, atol=1e-12)
    assert image.get_extent() == [-0.5, 79.5, 79.5, -0.5]
    assert ax.get_xlim() == (-0.5, 79.5) and ax.get_ylim() == (79.5, -0.5)
    plan = drawable(net)
    shown = np.ma.filled(image.get_array(), np.nan)
    assert np.array_equal(shown, matrix(plan, values(net, plan)), equal_nan=True)
    grey = image.cmap([0.1, 0.4, 0.6, 0.9])[:, :3] @ (0.299, 0.587, 0.114)
    assert grey[:2].min() > grey[2:].max()


# ---------------------------------------------------------------- SVG and HTML


class Seen(HTMLParser):
    """The tags and texts of a page, which has to be well-formed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


ALLOWED = {"div", "b", "p", "table", "tr", "td", "svg", "g", "title", "path", "circle", "polygon",
           "rect", "text"}  # fmt: skip


@settings(max_examples=15)
@given(net=networks())
def test_the_svg_is_xml_and_shows_everything(net):
    root = ET.fromstring(net._repr_svg_())
    of_class = {}
    for group in root.iter("{http://www.w3.org/2000/svg}g"):
        of_class[group.get("class")] = of_class.get(group.get("class"), 0) + 1
    gated = sum(s.gater is not None for s in net.synapses)
    expected = {"neuron": len(net), "synapse": len(net.synapses), "gate": gated}
    assert of_class == {kind: n for kind, n in expected.items() if n}


def test_hostile_names_stay_text():
    net = hostile()
    svg = net._repr_svg_()
    texts = list(ET.fromstring(svg).itertext())
    for s in net.synapses:  # no name opens or closes an element
        assert any(t.startswith(f"{s.source!r} -> {s.target!r}: weight") for t in texts)
    for page in (net._repr_html_(), net.plan()._repr_html_(), svg,
                 *(n._repr_html_() for n in net.neurons),
                 *(s._repr_html_() for s in net.synapses)):  # fmt: skip
        seen = Seen(page)
        assert set(seen.tags) <= ALLOWED
        page.encode()  # no surrogates
        assert "\x00" not in page and "\x1b" not in page and "\u202e" not in page
    assert "<script>" in Seen(net._repr_html_()).text


@pictured
def test_blank_names_are_no_empty_boxes():
    net = ng.Network([("", " "), (" ", "   " * 20)], seed=0)
    wanted = ["''", "' '", label("   " * 20)]
    texts = [group.find("{*}text").text for group in ET.fromstring(net._repr_svg_()).iter()
             if group.get("class") == "neuron"]  # fmt: skip
    assert texts == wanted and all(text.strip() for text in wanted)
    found = artists(net.draw())
    assert [found[f"name:{j}"].get_text() for j in range(3)] == wanted
    ticks = net.draw("matrix").get_xticklabels()
    assert [tick.get_text() for tick in ticks] == wanted


@pictured
@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_hostile_names_are_drawn_as_they_are():
    net = hostile()
    shown = [
        "<script>a…cript>", "$\\frac{$", 'a"b&c', "]]>", r"two\nlines", r"\x00\x1b", r"\ud800",
        r"\u202eright", "('<b>', 1)", "xxxxxxxxx…xxxxxx", "漢字かな交じり文の長い名前です", "''"
    ]  # fmt: skip
    for ax in (net.draw(), net.draw("matrix"), net.draw(x="visit")):
        _renderer(ax)  # a name that is taken for mathematics raises here
        texts = [text.get_text() for text in (*ax.texts, *ax.get_xticklabels())]
        assert [text for text in texts if text in shown] == shown


@settings(max_examples=15)
@given(net=networks())
def test_pages_tell_the_numbers(net):
    for neuron in net.neurons:
        page = Seen(neuron._repr_html_()).text
        assert neuron.role in page and neuron.activation in page
        assert all(repr(s.source) in page for s in neuron.incoming)
    for s in net.synapses:
        page = Seen(s._repr_html_()).text
        assert f"{s.weight:.4g}" in page and (s.gater is None or repr(s.gater) in page)
    page = Seen(net.plan()._repr_html_()).text
    assert all(repr(name) in page for name in net)
    assert "<svg" in net._repr_html_()


def test_pages_of_what_has_no_picture():
    net = ng.Network()
    assert net._repr_svg_() is None and "0 neurons" in Seen(net._repr_html_()).text
    net = ng.Network([("a", "b"), ("b", "a")])
    assert net._repr_svg_() is None and "'a'" in Seen(net._repr_html_()).text
    view = ng.perceptron(2, 1, seed=0).subgraph(["input.0", "output.0"])
    assert view._repr_svg_() is None and "'output.0'" in Seen(view._repr_html_()).text


def test_pages_of_what_was_removed():
    net = ng.Network([("a", "y", {"weight": 2.5})])
    s, a = net.edges["a", "y"], net.nodes["a"]
    net.remove_node("a")
    assert "removed" in Seen(a._repr_html_()).text
    page = Seen(s._repr_html_()).text
    assert "removed" in page and "2.5" in page


# ---------------------------------------------------------------- plots


@pytest.fixture(scope="module")
def trained():
    X, Y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
    net = ng.perceptron(2, 3, 1, seed=0)
    net.fit(X, Y, epochs=50, optimizer=ng.SGD(1.0))
    net.forward(X)
    net.backward(Y)
    return net, X, Y


def widths(ax):
    """Starts and signed widths of the bars, from top to bottom."""
    bars = sorted((bar.get_y(), bar.get_x(), bar.get_width()) for c in ax.containers for bar in c)
    return np.array([bar[1:] for bar in bars])


@pictured
def test_bars_of_an_explanation_are_its_parts(trained):
    net, *_ = trained
    e = net.edges["input.1", "hidden.0"].explain()
    for section in e.sections:
        start, width = widths(e.plot(section.name)).T
        assert width[:-1].tolist() == [part.value for part in section.parts]
        assert width[-1] == section.total and start[-1] == 0
        assert np.allclose(start[1:-1], np.cumsum(width[:-2]), rtol=0, atol=1e-15)
    assert (widths(e.plot()) == widths(e.plot(e.sections[0].name))).all()
    with pytest.raises(ng.ParameterError, match="section must be one of 'parts'"):
        e.plot("nonsense")
    ax = net.nodes["output.0"].explain().plot()
    assert [t.get_text() for t in ax.get_yticklabels()][-1] == "sum"


@pictured
def test_bars_of_a_lesion_map_are_its_strongest_rows(trained):
    net, X, Y = trained
    m = net.lesion_map(X, Y, obs=False)
    ax = m.plot(5)
    assert widths(ax)[:, 1].tolist() == m.strongest(5).exact.tolist()
    for line, name in zip(ax.lines[-2:], ("first_order", "obd"), strict=True):
        assert line.get_xdata().tolist() == getattr(m.strongest(5), name).tolist()
    assert len(widths(m.neurons.plot())) == 5
    lonely = ng.Network()
    lonely.add_neuron("x", role="input")
    lonely.add_neuron("y", role="output")
    with pytest.raises(ng.ParameterError, match="no synapse in this map"):
        lonely.lesion_map([[1]], [[0]]).plot()


@pictured
def test_an_attribution_is_drawn_by_bars_and_over_steps_as_an_image(trained):
    net, X, _ = trained
    for method in ("integrated_gradients", "conductance", "synapse_conductance"):
        found = net.attribute(X, method=method)
        sizes = widths(found.plot(sample=1, k=4))[:, 1]
        expected = sorted(np.abs(found.values[1]), reverse=True)[:4]
        assert np.allclose(np.abs(sizes), expected, rtol=0, atol=0)
    path = net.attribute(X, path=["input.0", "hidden.2", "output.0"])
    assert widths(path.plot(sample=2))[:, 1].tolist() == [path.values[2]]
    with pytest.raises(ng.ParameterError, match="sample must be below 4"):
        found.plot(sample=4)
    recurrent = ng.lstm(1, 1, 1, seed=0)
    found = recurrent.attribute(np.ones((2, 5, 1)), method="conductance")
    image = found.plot(sample=1).images[0].get_array()
    assert np.array_equal(image, found.values[1].T)


@pictured
def test_a_plot_goes_where_it_is_told(trained):
    from matplotlib.figure import Figure

    net, X, Y = trained
    for plot in (
        net.edges["input.1", "hidden.0"].explain().plot,
        net.lesion_map(X, Y, obs=False).plot,
        net.attribute(X).plot,
    ):
        ax = Figure().add_subplot()
        assert plot(ax=ax) is ax and ax.patches


@pictured
def test_lines_of_a_probe_are_what_it_wrote_down(trained):
    _, X, Y = trained
    net = ng.perceptron(2, 3, 1, seed=0)
    s = net.edges["input.0", "hidden.0"]
    probe = net.probe([s, ("hidden.0", "output.0")], ["hidden.0"])
    with pytest.raises(ng.ParameterError, match="no records yet"):
        probe.plot()
    net.fit(X, Y, epochs=20, optimizer=ng.SGD(1.0))
    for kind in probe.what:
        ax = probe.plot(kind)
        lines = np.array([line.get_ydata() for line in ax.lines])
        assert np.array_equal(lines.T, probe[kind], equal_nan=True)
        assert ax.lines[0].get_xdata().tolist() == probe.moments.tolist()
    with pytest.raises(ng.ParameterError, match="what must be one of 'weight'"):
        probe.plot("delta")
    net.remove_edge("input.0", "hidden.0")
    texts = [t.get_text() for t in probe.plot().get_legend().get_texts()]
    assert any("removed" in text for text in texts)


# ---------------------------------------------------------------- what can be wrong


def test_errors_say_what_to_do():
    with pytest.raises(ng.ParameterError, match=r"without neurons .*add_neuron"):
        ng.Network().draw()
    net = ng.perceptron(2, 1, seed=0)
    with pytest.raises(ng.ParameterError, match="kind must be one of 'auto', 'graph', 'matrix'"):
        net.draw("matrx")
    with pytest.raises(ng.ParameterError, match="x must be one of 'level', 'visit'"):
        net.draw(x="time")
    with pytest.raises(ng.ParameterError, match="show must be one of 'weight', 'grad'"):
        net.draw(show="bias")
    with pytest.raises(ng.GraphError, match="read-only view"):
        net.subgraph(["input.0"]).draw()
    with pytest.raises(ng.CycleError):
        ng.Network([("a", "b"), ("b", "a")]).draw()
    net.gate("input.0", net.edges["input.1", "output.0"])
    net.remove_node("input.0")
    with pytest.raises(
        ng.ParameterError, match="a neuron 'input.0' that was removed|not in the graph"
    ):
        net.draw()


def test_without_matplotlib_it_says_what_to_install(monkeypatch, trained):
    net, X, Y = trained
    m, e, found = (
        net.lesion_map(X, Y, obs=False),
        net.edges["input.1", "hidden.0"].explain(),
        net.attribute(X),
    )
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for plot in (net.draw, lambda: net.draw("matrix"), m.plot, e.plot, found.plot):
        with pytest.raises(ng.ParameterError, match=r"needs matplotlib: pip install 'neurograph"):
            plot()
    assert net._repr_svg_().startswith("<svg")  # this needs none


# ---------------------------------------------------------------- the pictures of the docs


@pictured
def test_every_picture_of_the_docs_is_made_by_the_script():
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made, text = module.pictures(), (DOCS / "pictures.md").read_text()
    assert {path.stem for path in (DOCS / "img").glob("*.png")} >= set(made)
    for name, ax in made.items():
        assert f"img/{name}.png" in text
        assert ax.has_data() or ax.patches


@pictured
def test_twenty_lesions_are_drawn_unless_told_otherwise():
    net = ng.perceptron(3, 6, 1, seed=0)
    found = net.lesion_map(np.eye(3), np.ones((3, 1)), obs=False)
    assert len(widths(found.plot())) == 20 < len(found) == 24


# ---------------------------------------------------------------- what plots say


def texts(ax):
    """What is written in a plot, with where it is."""
    return {t.get_text(): t.get_position() for t in ax.texts}


@pictured
def test_bars_have_their_names_and_numbers_and_tell_the_sign_without_colour(trained):
    net, X, _ = trained
    found = net.attribute(X, method="conductance")
    ax = found.plot(sample=2, k=3)
    most = np.argsort(-np.abs(found.values[2]))[:3]
    values = found.values[2][most]
    assert (values < 0).any() and (values > 0).any()
    assert [t.get_text() for t in ax.get_yticklabels()] == [found.of[i] for i in most]
    assert ax.yaxis.get_inverted()  # from top to bottom
    numbers = [(note.get_text(), note.xy) for note in ax.texts]
    assert numbers == [(f"{v:.3g}", (max(0.0, v), row)) for row, v in enumerate(values)]
    bars = sorted((b.get_y() + b.get_height() / 2, b) for c in ax.containers for b in c)
    assert [bool(bar.get_hatch()) for _, bar in bars] == (values < 0).tolist()
    assert [round(at, 9) for at, _ in bars] == [0, 1, 2]
    assert ax.get_title(loc="left") == "conductance of output output.0"


@pictured
def test_an_image_of_steps_marks_what_is_clearly_negative():
    net = ng.Network([("a", "y", {"weight": 1.0}), ("b", "y", {"weight": -1.0})])
    net.add_synapse("y", "y", weight=1.0)
    net.inputs, net.outputs, net.nodes["y"].activation = ["a", "b"], ["y"], "identity"
    X = [[3.0, 2.0], [-1.0, -0.1], [0.0, 0.1], [-0.1, 1.0], [2.0, -4.0]]
    found = net.attribute([X])
    assert found.values[0] == pytest.approx(np.array(X) * [1, -1])  # the sum is what comes out
    ax = found.plot()
    largest = np.abs(found.values).max()
    marked = np.argwhere(found.values[0] < -0.05 * largest)
    assert 0 < len(marked) < (found.values < 0).sum()
    assert all(note.get_text() == "−" for note in ax.texts)
    assert sorted(note.get_position() for note in ax.texts) == [tuple(at) for at in marked]
    image = ax.images[0]
    assert image.get_clim() == (-largest, largest)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


@pictured
def test_a_lesion_that_explodes_has_a_sign_in_place_of_a_bar():
    net = ng.Network([("x", "y", {"weight": -1.0}), ("y", "y", {"weight": 1e200})])
    net.inputs, net.outputs, net.nodes["y"].activation = ["x"], ["y"], "identity"
    net.add_neuron("brake", activation="inverse")  # gates with 0 as long as x is 1
    s = net.add_synapse("x", "brake", weight=1)
    net.gate("brake", net.edges["y", "y"])
    found = net.lesion_map(np.ones((1, 4, 1)), np.ones((1, 4, 1)), obs=False)
    top = found.strongest()
    ax = found.plot()
    row = top.source.index(s.source), top.target.index(s.target)
    assert np.isinf(top.exact[row[1]]) and texts(ax)[" ∞"] == (0, row[1])
    assert len(ax.texts) == np.isinf(top.exact).sum() == 1
    assert widths(ax)[:, 1].tolist() == np.where(np.isinf(top.exact), 0, top.exact).tolist()
    marks = [t.get_text() for t in ax.get_legend().get_texts()]
    assert marks == ["first order", "OBD"]


@pictured
@pytest.mark.parametrize("n_hidden", [2, 4, 5])
def test_a_probe_is_drawn_by_lines_with_names_or_as_a_band_with_its_median(n_hidden):
    net = ng.perceptron(1, n_hidden, 1, seed=0)  # 4, 8 and 10 synapses
    probe = net.probe(net.synapses, what=("weight", "grad"))
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(6, 1)), rng.uniform(size=(6, 1))
    net.forward(X)
    net.fit(X, Y, batch_size=2, epochs=2)
    net.forward(X)
    n = len(net.synapses)
    for kind in ("weight", "grad"):
        ax = probe.plot(kind)
        values = probe[kind]
        for line, series in zip(ax.lines, values.T, strict=n <= 8):
            assert np.array_equal(line.get_ydata(), series, equal_nan=True)
            assert np.array_equal(line.get_xdata(), probe.moments)
        names = [t.get_text().strip("\u200b") for t in ax.get_legend().get_texts()]
        if n <= 8:
            assert names == [f"{s.source} -> {s.target}" for s in net.synapses]
            looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
            assert len(looks) == n
        else:
            assert names == [f"median of {n}"] and len(ax.lines) == n + 1
            median = ax.lines[-1].get_ydata()
            assert np.array_equal(median, np.median(values, axis=1), equal_nan=True)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("moment", kind)


@pictured
def test_plots_take_no_name_for_mathematics():
    x, y = "$\\frac{$", "$_$"
    net = ng.Network([(x, y, {"weight": 1.0})])
    net.inputs, net.outputs = [x], [y]
    probe = net.probe(net.synapses, [x, y], ("weight", "output"))
    X, Y = np.ones((2, 3, 1)), np.zeros((2, 3, 1))
    net.forward(X)
    net.backward(Y)
    for ax in (
        net.attribute(X).plot(),
        net.attribute(X[:, 0]).plot(),
        net.attribute(X[:, 0], method="synapse_conductance").plot(),
        net.attribute(X[:, 0], path=[x, y]).plot(),
        net.edges[x, y].explain().plot(),
        net.nodes[y].explain().plot(),
        net.lesion_map(X, Y).plot(),
        net.lesion_map(X, Y).neurons.plot(),
        probe.plot("weight"),
        probe.plot("output"),
    ):
        _renderer(ax)  # raises where it reads mathematics
        written = {t.get_text() for t in (*ax.get_yticklabels(), *ax.texts)}
        written |= {ax.get_title(loc="left")}
        if ax.get_legend():
            written |= {t.get_text() for t in ax.get_legend().get_texts()}
        assert any(name in text for name in (x, y) for text in written)
