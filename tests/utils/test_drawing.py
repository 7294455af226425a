"""Pictures of models show each layer once, in order, joined as they are."""

import re
import shutil
from xml.etree import ElementTree

import pytest

from slipstream import layers, models, utils


@pytest.fixture
def chain():
    return models.Sequential(
        [layers.Input((4,)), layers.Dense(3, "relu", name="first"), layers.Dense(2, name="last")]
    )


@pytest.fixture
def fork():
    source = layers.Input((4,), name="source")
    left, right = layers.Dense(3, name="left")(source), layers.Dense(3, name="right")(source)
    return models.Model(source, layers.Dense(1, name="end")(left + right))


def edges(text):
    labels = dict(re.findall(r'(n[\d_]+) \[label="(\w+)', text))
    return {(labels[a], labels[b]) for a, b in re.findall(r"(n[\d_]+) -> (n[\d_]+);", text)}


def test_a_chain_in_the_language_of_dot(chain):
    text = utils.model_to_dot(chain, show_shapes=True, show_layer_activations=True).to_string()
    assert text.startswith("digraph model {") and text.rstrip().endswith("}")
    assert ("first", "last") in edges(text)
    assert "output: (None, 3)" in text and "activation: relu" in text
    assert "rankdir=LR" in utils.model_to_dot(chain, rankdir="LR").to_string()
    assert "first" not in utils.model_to_dot(chain, show_layer_names=False).to_string()
    frozen = utils.model_to_dot(chain, show_trainable=True, show_dtype=True).to_string()
    assert "trainable" in frozen and "dtype: float32" in frozen


def test_a_fork_keeps_both_ways(fork):
    text = utils.model_to_dot(fork).to_string()
    found = edges(text)
    assert {("source", "left"), ("source", "right")} <= found
    (joint,) = {b for a, b in found if a == "left"}
    assert {("right", joint), (joint, "end")} <= found and len(found) == 5


def test_models_within_models_are_drawn_on_demand(fork):
    source = layers.Input((4,))
    outer = models.Model(source, layers.Dense(1, name="outside")(fork(source)))
    closed = utils.model_to_dot(outer).to_string()
    opened = utils.model_to_dot(outer, expand_nested=True).to_string()
    assert "left" not in closed and "left" in opened and "subgraph" in opened
    assert ("end", "outside") in edges(opened)


def test_svg_needs_no_program(fork, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    path = tmp_path / "model.svg"
    for direction in ("TB", "LR"):
        utils.plot_model(fork, path, show_shapes=True, show_layer_names=True, rankdir=direction)
        root = ElementTree.parse(path).getroot()
        tags = [element.tag.split("}")[1] for element in root.iter()]
        assert tags.count("line") == 5 and tags.count("rect") == 1 + 5
        texts = " ".join(element.text or "" for element in root.iter())
        assert "left" in texts and "(None, 3)" in texts
        boxes = [e for e in root.iter() if e.tag.endswith("rect")][1:]
        spans = [tuple(float(b.get(k)) for k in ("x", "y", "width", "height")) for b in boxes]
        for i, (x, y, w, h) in enumerate(spans):  # no box lies over another
            for u, v, p, q in spans[:i]:
                assert x >= u + p or u >= x + w or y >= v + q or v >= y + h
    utils.plot_model(fork, tmp_path / "model.dot")
    assert (tmp_path / "model.dot").read_text().startswith("digraph")
    with pytest.raises(ImportError, match=r"program 'dot'.*ending in \.svg"):
        utils.plot_model(fork, tmp_path / "model.png")


def test_names_are_quoted(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    model = models.Sequential([layers.Input((2,)), layers.Dense(1, name='a "b" <c>')])
    assert r"a \"b\" <c>" in utils.model_to_dot(model).to_string()
    utils.plot_model(model, tmp_path / "m.svg", show_layer_names=True)
    texts = [e.text for e in ElementTree.parse(tmp_path / "m.svg").iter() if e.text]
    assert any('a "b" <c>' in text for text in texts)


def test_a_model_without_shapes_cannot_be_drawn():
    with pytest.raises(ValueError, match="not built"):
        utils.model_to_dot(models.Sequential([layers.Dense(1)]))
