"""Tables and datasets of other libraries go into fit as they are."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from slipstream.core.random import set_random_seed
from slipstream.data import read
from slipstream.data.arrays import to_array, to_arrays
from slipstream.data.dataset import Place
from slipstream.data.sources import make_source
from slipstream.layers import Dense, Input
from slipstream.models import Sequential

FRAME = pd.DataFrame({"a": [1, 2, 3, 4], "b": [0.5, 1.5, 2.5, 3.5]})
TARGET = FRAME["b"] * 2


def arrow(frame):
    return pa.Table.from_pandas(frame)


def polars(frame):
    return pytest.importorskip("polars").DataFrame(frame.to_dict("list"))


def hugging_face(frame):
    library = pytest.importorskip("datasets")
    if not hasattr(library, "Dataset"):  # a folder of tests of ours has that name
        pytest.skip("Hugging Face datasets are not installed")
    return library.Dataset.from_dict(frame.to_dict("list"))


MAKERS = {
    "arrow": (arrow, lambda s: pa.chunked_array([s.to_list()])),
    "batch": (lambda f: arrow(f).to_batches()[0], lambda s: pa.array(s.to_list())),
    "polars": (polars, lambda s: pytest.importorskip("polars").Series(s.to_list())),
    "hugging face": (hugging_face, lambda s: s),
}


def trained(x, y):
    set_random_seed(0)
    model = Sequential([Input((2,)), Dense(3), Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, epochs=2, batch_size=2, verbose=0)
    return [*model.get_weights(), model.predict(x), np.float32(model.evaluate(x, y, verbose=0))]


@pytest.mark.parametrize("kind", MAKERS)
def test_a_table_trains_as_its_numbers_do(kind):
    table, series = MAKERS[kind]
    x, y = table(FRAME), series(TARGET)
    assert to_array(x, "x").shape == (4, 2) and to_array(y, "y").shape == (4, 1)
    for left, right in zip(trained(x, y), trained(FRAME, TARGET), strict=True):
        np.testing.assert_array_equal(left, right)
    nested = to_arrays({"left": x, "right": [y]}, "x")
    assert nested["left"].dtype == nested["right"][0].dtype == np.float32


@pytest.mark.parametrize("kind", ["arrow", "batch", "polars"])
def test_missing_numbers_are_nan_and_text_is_refused(kind):
    table, series = MAKERS[kind]
    missing = series(pd.Series([1, None, 3], dtype=object))
    np.testing.assert_array_equal(to_array(missing, "x")[:, 0], np.float32([1, np.nan, 3]))
    with pytest.raises(TypeError, match=r"x has the type .*numbers only"):
        to_array(table(pd.DataFrame({"a": [1, 2], "b": ["u", "v"]})), "x")


def test_lists_are_an_axis_and_ragged_ones_are_refused():
    assert to_array(pa.array([[1.0, 2], [3, 4], [5, 6]]), "x").shape == (3, 2)
    with pytest.raises(ValueError, match="'x' has lists of 1 to 2 entries"):
        to_array(pa.array([[1.0], [3, 4]]), "x")
    with pytest.raises(TypeError, match="holds records"):
        to_array(pa.table({"a": [{"b": 1}]}), "x")


@pytest.mark.parametrize("kind", ["polars", "hugging face"])
def test_tables_of_other_libraries_stream(kind):
    frame = pd.DataFrame({"a": np.arange(200), "t": [f"t{i}" for i in range(200)]})
    table = MAKERS[kind][0](frame)
    stream = read(table, target="a", batch_size=30, shuffle=True)
    found = list(stream.batches(0, 0))
    pairs = [(t, int(a)) for x, y in found for t, a in zip(x["t"], y)]
    assert sorted(pairs) == sorted((f"t{i}", i) for i in range(200))
    rest = [y for _, y in stream.batches(0, 0, skip=3)]
    np.testing.assert_array_equal(np.concatenate(rest), [a for _, a in pairs[90:]])


def test_a_hugging_face_dataset_streams_the_rows_that_were_selected():
    dataset = hugging_face(pd.DataFrame({"a": range(100)})).select(range(50, 60)).shuffle(seed=0)
    (x,) = list(read(dataset))
    assert x[:, 0].tolist() == dataset["a"][:]


def numbers(torch_like):
    class Numbers(torch_like):
        def __init__(self, size=10):
            self.size = size

        def __len__(self):
            return self.size

        def __getitem__(self, number):
            if number == 7 and self.size == 8:
                raise OSError("no such picture")
            return np.full(2, number, np.float32), number

    return Numbers


def fake():
    """A class of the name that PyTorch's has."""
    return type("Dataset", (), {"__module__": "torch.utils.data.dataset"})


def real():
    return pytest.importorskip("torch.utils.data").Dataset


@pytest.mark.parametrize("base", [fake, real])
def test_a_map_style_dataset_is_cut_into_batches(base):
    made = numbers(base())
    source = make_source(made(), batch_size=4, shuffle=True)
    assert source.steps == 3
    found = [(int(a), int(b)) for x, y, _ in source.epoch(Place(0)) for (a, _), b in zip(x, y)]
    assert sorted(found) == [(i, i) for i in range(10)] and found != sorted(found)
    with pytest.raises(RuntimeError, match=r"example 7 of Numbers.*no such picture"):
        list(make_source(made(8)).epoch(Place(0)))


def test_a_torch_loader_is_batches_already():
    torch_data = pytest.importorskip("torch.utils.data")
    loader = torch_data.DataLoader(numbers(torch_data.Dataset)(), batch_size=4)
    assert [len(x) for x, _, _ in make_source(loader).epoch(Place(0))] == [4, 4, 2]


@pytest.mark.parametrize("kind", ["map", "iter", "loader"])
def test_grain_gives_batches(kind):
    grain = pytest.importorskip("grain")
    pairs = [(np.float32([i, i]), np.float32(i)) for i in range(10)]
    data = grain.MapDataset.source(pairs).batch(4)
    if kind == "iter":
        data = data.to_iter_dataset()
    if kind == "loader":
        data = grain.DataLoader(
            data_source=pairs,
            sampler=grain.samplers.SequentialSampler(len(pairs), grain.sharding.NoSharding()),
            operations=[grain.transforms.Batch(4)],
        )
    source = make_source(data)
    for _ in range(2):
        found = [(x.shape, y.tolist()) for x, y, _ in source.epoch(Place(0))]
        assert found == [((4, 2), [0, 1, 2, 3]), ((4, 2), [4, 5, 6, 7]), ((2, 2), [8, 9])]
