"""Whole models of the bench: the same network in every system, and tables of made-up numbers."""

import math
import xml.etree.ElementTree as ElementTree
from functools import cache

import numpy as np
import pytest

pytest.importorskip("bench", reason="the benchmarks come with the sources only")

import slipstream
from bench.models.cases import CASES, case_of, varied
from bench.models.contest import close
from bench.models.kept import keep_models, keep_scaling, numbers, picture, redraw
from bench.models.keras_like import System
from bench.models.pictures import COLOURS, Log, bars, curves
from bench.models.results import Found, Results, Row, load, save
from bench.models.scaling import SYSTEMS, Curve, slope
from bench.models.scaling import load as load_curves
from bench.models.table import SETTINGS, markdown, of_case, summary
from bench.workloads import WORKLOADS, workload_of
from slipstream.speed.ceilings import kept

# Networks whose sizes are kept, on as few rows as have a gradient; lengths where they are free.
TINY = {name: f"{name}; batch=2; steps=2" for name in CASES}
TINY["LSTM"] += "; length=9"
TINY["GPT"] += "; length=8"
SLOW = {
    "ResNet-20",
    "depthwise CNN",
    "GRU",
    "bidirectional masked LSTM",
    "GPT",
    "image Transformer",
    "VAE",
}
EACH = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if name in SLOW else []) for name in CASES],
)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """By a case's name: the file of weights, outputs, loss of an epoch, outputs after it."""
    folder = tmp_path_factory.mktemp("weights")

    @cache
    def run(name):
        path = str(folder / f"{name}.npz")
        system = System(slipstream, case_of(name), path)
        x, _ = case_of(name).data(3)
        return path, system.predict(x), system.epoch(), system.predict(x)

    return run


def agree(theirs, name, ours):
    path, outputs, loss, after = ours(name)
    case = case_of(name)
    x, _ = case.data(3)
    other = theirs(name, case, path)
    np.testing.assert_allclose(other.predict(x), outputs, rtol=1e-4, atol=1e-5)
    assert other.epoch() == pytest.approx(loss, rel=2e-3)
    np.testing.assert_allclose(other.predict(x), after, rtol=0.02, atol=0.01)


@EACH
def test_flax_has_the_same_network(name, ours):
    pytest.importorskip("flax")
    from bench.models.flax_nets import System as Flax

    agree(Flax, TINY[name], ours)


@EACH
def test_pytorch_has_the_same_network(name, ours):
    pytest.importorskip("torch")
    from bench.models.torch_nets import System as Torch

    agree(Torch, TINY[name], ours)


@pytest.mark.parametrize("options", ["width=24", "depth=1", "depth=4; width=16"])
def test_a_varied_network_is_the_same_everywhere(options, ours):
    pytest.importorskip("flax")
    pytest.importorskip("torch")
    from bench.models.flax_nets import System as Flax
    from bench.models.torch_nets import System as Torch

    name = f"MLP 784-512-512-10; {options}; batch=2; steps=2"
    agree(Flax, name, ours)
    agree(Torch, name, ours)


def test_a_case_is_varied_by_its_name():
    case = case_of("GPT; length=16; batch=3; steps=2")
    (x, y), model = case.data(), case.build(slipstream)
    assert x.shape == y.shape == (6, 16)
    assert model.output_shape == (None, 16, 512)
    assert case_of("GPT")._replace(build=None) == CASES["GPT"]._replace(build=None)
    assert varied("MLP 784-512-512-10; width=8; batch=2") == ("MLP 784-512-512-10", {"width": 8})
    with pytest.raises(TypeError, match="width"):
        case_of("CNN; width=8").build(slipstream)


def test_a_workload_is_varied_by_its_name():
    assert workload_of("mlp") == WORKLOADS["mlp"]
    assert workload_of("reference; rows=64; epochs=2").steps == 4


def test_the_cost_of_a_step_grows_as_the_batch(tmp_path):
    costs = []
    for batch in (4, 8):
        case = case_of(f"MLP 784-512-512-10; width=32; batch={batch}; steps=2")
        system = System(slipstream, case, str(tmp_path / f"{batch}.npz"))
        costs.append(system.cost())
    products = 2 * 3 * (784 * 32 + 32 * 32 + 32 * 10) - 2 * 784 * 32  # no gradient of the input
    more = costs[1]["flops"] - costs[0]["flops"]  # the optimizer's work is the same
    assert more / 4 == pytest.approx(products, rel=0.05)
    for cost in costs:  # the peak may have been measured anew, and higher, since
        assert cost["flops"] / kept().flops["float32"] <= cost["limit"] * 1.001 < 1e-3


def test_results_agree_within_two_per_cent_of_the_largest():
    assert close([1.0, 0.001], [1.01, 0.0])
    assert not close([1.0, 0.1], [1.0, 0.0])
    assert not close([math.nan], [1.0])
    assert not close([1.0], [1.0, 1.0])


# ---- tables and pictures, from made-up numbers ---------------------------------------------------


def found(name="CNN", agrees=True, **times):
    """A case in which a step takes Slipstream 10 ms; `times` are the peers', in ms."""

    def row(ms, peak=100 << 20):
        return Row([ms / 1e3] * 3, 1.5, peak, True)

    rows = {"Slipstream": row(10.0)}
    rows |= {peer.replace("_", " "): row(ms, 150 << 20) for peer, ms in times.items()}
    if not agrees:
        rows["PyTorch"] = rows["PyTorch"]._replace(agrees=False)
    return Found(name, 32, 10, 1e9, 0.004, {"train": rows, "predict 1": rows})


def test_results_are_read_as_they_were_written(tmp_path):
    results = Results("# Title\n", [found(PyTorch=12.0), found("GPT", Flax_NNX=9.0)])
    save(results, tmp_path / "kept.json")
    assert load(tmp_path / "kept.json") == results


def test_ratios_shares_and_compiling():
    case = found(PyTorch=12.0, Flax_NNX=15.0)
    assert case.ratio("train", "PyTorch") == pytest.approx(1.2)
    assert case.best("train") == "PyTorch"
    assert case.share == pytest.approx(0.4)
    assert case.memory("PyTorch") == pytest.approx(1.5)
    assert case.compiling("Slipstream") == pytest.approx(1.5 - 10 * 0.01)


def test_a_void_row_is_no_peer():
    case = found(PyTorch=5.0, Flax_NNX=15.0, agrees=False)
    assert case.best("train") == "Flax NNX"
    told = of_case(case)
    assert "void" in told and "0.50×" not in told
    assert "1.50× (Flax NNX)" in summary([case])
    assert found().best("train") is None and "–" in summary([found()])


def test_the_table_tells_share_memory_and_losses():
    told = markdown([found(PyTorch=8.0)])
    assert "| CNN | 0.80× (PyTorch) |" in told
    assert "| PyTorch | 8 (8–8), 0.80× |  | 1.50 | 1.42 | 150, 1.50× |" in told
    assert "| Slipstream | 10 (10–10) | 40% |" in told


def test_slopes_are_of_the_upper_half():
    points = [1, 2, 4, 8, 16]
    assert slope([(p, 3.0 * p**1.7) for p in points], points) == pytest.approx(1.7)
    flat = [(p, max(p, 4.0) ** 2) for p in points]  # overhead rules the small ones
    assert slope(flat, points) == pytest.approx(2.0)
    assert slope([(1, 1.0), (2, 2.0)], [1, 2]) == pytest.approx(1.0)
    assert math.isnan(slope([(16, 1.0)], points))
    assert math.isnan(slope([], points))


def curve(**void):
    points = [8, 16, 32, 64]
    seconds = {
        name: [[factor * p * 1e-3] * 2 for p in points] for name, factor in zip(SYSTEMS, (1, 2, 3))
    }
    for name, places in void.items():
        seconds[name] = [[] if n in places else each for n, each in enumerate(seconds[name])]
    return Curve("CNN", "batch", "a step", points, [1e6 * p for p in points], seconds)


def test_curves_are_read_as_they_were_written_and_drawn_again(tmp_path):
    file = tmp_path / "SCALING.md"
    keep_scaling("# Scaling\n", 2, [curve(), curve(PyTorch=[1])], file)
    first, drawn = file.read_text(), picture(file).read_text()
    assert load_curves(numbers(file)) == ("# Scaling\n", 2, [curve(), curve(PyTorch=[1])])
    assert "| CNN | batch | 1.00 | 1.00 | 1.00 | 1.00 |" in first and "| 16 | 16 | void |" in first
    file.unlink(), picture(file).unlink()
    assert redraw(tmp_path / "MODELS.md", file) == ["SCALING.md"]
    assert (file.read_text(), picture(file).read_text()) == (first, drawn)


def test_a_table_of_models_is_written_again_as_it_was(tmp_path):
    file = tmp_path / "GPU.md"
    keep_models("# Whole models\n", [found(PyTorch=12.0)], file)
    first = file.read_text()
    assert first.startswith("# Whole models\n\n![Gpu](pictures/gpu.svg)\n")
    file.write_text("")
    assert redraw(file, tmp_path / "SCALING.md") == ["GPU.md"]
    assert file.read_text() == first


SVG = "{http://www.w3.org/2000/svg}"


def drawn_bars(cases):
    """Texts of a picture, and left end and width of its bars by their titles."""
    root = ElementTree.fromstring(bars(cases))
    texts = [each.text for each in root.iter(f"{SVG}text")]
    places = {}
    for group in root.iter(f"{SVG}g"):
        bar = group.find(f"{SVG}rect")
        title = group.find(f"{SVG}title").text
        places[title] = (float(bar.get("x")), float(bar.get("width")))
    return texts, places


def test_bars_begin_at_one_and_lie_on_the_side_of_the_faster():
    texts, places = drawn_bars([found(PyTorch=20.0, Flax_NNX=5.0)])
    slow, fast = places["CNN, PyTorch: 2.00×"], places["CNN, Flax NNX: 0.50×"]
    assert slow[0] == pytest.approx(fast[0] + fast[1], abs=0.2)
    assert slow[1] == pytest.approx(fast[1], abs=0.2)  # twice and half are as far from one
    assert {"CNN", "2.00×", "0.50×", "1×"} <= set(texts)


def test_a_void_bar_says_so_and_a_huge_one_is_cut():
    texts, places = drawn_bars([found(PyTorch=2.0, Keras_TensorFlow=1e6, agrees=False)])
    assert "void: the results differ" in texts
    assert [title for title in places if "PyTorch" in title] == []
    assert drawn_bars([found(PyTorch=1e6)])[1]["CNN, PyTorch: 100000×"][1] < 480


def test_pictures_of_nothing_are_pictures():
    for drawn in (bars([]), bars([found()]), curves([]), curves([curve(**dict.fromkeys(
        ["Slipstream", "PyTorch"], range(4)))])):  # fmt: skip
        assert ElementTree.fromstring(drawn).tag == f"{SVG}svg"


def test_a_curve_has_a_line_a_system_and_its_slope():
    root = ElementTree.fromstring(curves([curve(PyTorch=[1])]))
    lines = [each.get("points").split() for each in root.iter(f"{SVG}polyline")]
    assert sorted(map(len, lines)) == [3, 4, 4]
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert {"theory 1.00", "Slipstream 1.00", "PyTorch 1.00", "batch"} <= set(texts)


def test_every_system_has_a_colour():
    assert set(COLOURS) == {each.name for each in SETTINGS}


def test_a_logarithmic_scale():
    scale = Log(1, 100, 0, 200)
    assert [scale(v) for v in (1, 10, 100)] == [0, 100, 200]
    assert Log(0.4, 6, 0, 1).ticks == [0.5, 1, 2, 5]
