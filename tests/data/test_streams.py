"""A stream gives every row once, in an order that follows from seed and pass, from any place on."""

import gzip
import os
import pickle

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.data import Stream, read
from slipstream.data.dataset import Place
from slipstream.data.sources import BatchSource, make_source
from slipstream.data.streams.ahead import Workers
from slipstream.data.streams.pieces import Piece, share_of
from slipstream.layers import Dense, Input
from slipstream.models import Sequential
from slipstream.utils import FeatureSpace

ROWS = 1000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def table(rows=ROWS, start=0):
    numbers = np.arange(start, start + rows)
    return pa.table({"id": numbers, "half": numbers / 2, "price": numbers * 10.0})


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("parquet") / "t.parquet"
    pq.write_table(table(), path, row_group_size=90)
    return str(path)


def ids(batches):
    """The first column of all batches."""
    parts = [np.asarray(b[0] if isinstance(b, tuple) else b) for b in batches]
    return np.concatenate([part.reshape(len(part), -1)[:, 0] for part in parts]).astype(int)


# ---- kinds of files ------------------------------------------------------------------------------


def write_arrow_stream(path):
    with pa.ipc.new_stream(path, table().schema) as writer:
        writer.write_table(table(), max_chunksize=77)


def write_h5(path):
    with h5py.File(path, "w") as file:
        file["x"] = table().to_pandas()[["id", "half"]].to_numpy()
        file.create_dataset("deep/price", data=table()["price"].to_numpy(), chunks=(64,))


def arrays():
    return {
        "x": table().to_pandas()[["id", "half"]].to_numpy(np.float32),
        "price": table()["price"].to_numpy(),
    }


WRITERS = {
    "t.parquet": lambda path: pq.write_table(table(), path, row_group_size=90),
    "t.feather": lambda path: pyarrow.feather.write_feather(table(), path, chunksize=77),
    "t.arrows": write_arrow_stream,
    "t.csv": lambda path: table().to_pandas().to_csv(path, index=False),
    "t.csv.gz": lambda path: table().to_pandas().to_csv(path, index=False),
    "t.tsv": lambda path: table().to_pandas().to_csv(path, index=False, sep="\t"),
    "t.jsonl": lambda path: table().to_pandas().to_json(path, lines=True, orient="records"),
    "t.npz": lambda path: np.savez(path, **arrays()),
    "small.npz": lambda path: np.savez_compressed(path, **arrays()),
    "t.h5": write_h5,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_same_rows(name, tmp_path):
    path = tmp_path / name
    WRITERS[name](str(path))
    target = "deep/price" if name == "t.h5" else "price"
    stream = read(path, target=target, batch_size=64)
    batches = list(stream)
    assert stream.rows == ROWS and len(stream) == len(batches) == 16
    x = np.concatenate([x for x, _ in batches])
    y = np.concatenate([y for _, y in batches])
    assert x.dtype == y.dtype == np.float32
    np.testing.assert_array_equal(x, np.stack([np.arange(ROWS), np.arange(ROWS) / 2], 1))
    np.testing.assert_array_equal(y, np.arange(ROWS) * 10)
    assert [len(x) for x, _ in batches] == [64] * 15 + [40]
    assert ids(stream.batches(0, 0, skip=7)).tolist() == list(range(448, ROWS))


@pytest.mark.parametrize("order", "CF")
def test_a_npy_file_is_one_array_of_any_shape(order, tmp_path):
    x = np.arange(60, dtype=np.int16).reshape(10, 3, 2)
    np.save(tmp_path / "t.npy", np.asarray(x, order=order))
    found = list(read(tmp_path / "t.npy", batch_size=4))
    assert found[0].dtype == np.int16
    np.testing.assert_array_equal(np.concatenate(found), x)


def objects():
    frame = table().to_pandas()
    return {
        "pandas": frame,
        "table": table(),
        "batch": table().combine_chunks().to_batches()[0],
        "dataset": pyarrow.dataset.dataset(table()),
        "dictionary": {name: frame[name].to_numpy() for name in frame},
    }


@pytest.mark.parametrize("name", objects())
def test_objects_in_memory_stream_too(name):
    batches = list(read(objects()[name], target="price", columns=["id"], batch_size=64))
    x = [b[0]["id"] if isinstance(b[0], dict) else b[0] for b in batches]
    assert ids(x).tolist() == list(range(ROWS))
    assert np.concatenate([y for _, y in batches])[-1] == 9990


def test_a_folder_a_pattern_a_list_and_an_arrow_dataset_read_all_their_files(tmp_path):
    for number in range(3):
        pq.write_table(table(100, number * 100), tmp_path / f"{number}.parquet", row_group_size=30)
    (tmp_path / "notes.md").write_text("no data")
    paths = sorted(map(str, tmp_path.glob("*.parquet")))
    for source in (
        tmp_path,
        str(tmp_path / "*.parquet"),
        paths,
        pyarrow.dataset.dataset(paths),
    ):
        assert ids(read(source)).tolist() == list(range(300))


def test_names_of_folders_are_columns_of_an_arrow_dataset(tmp_path):
    years = pa.table({"year": pa.array([2020] * 5 + [2021] * 5, pa.int32()), "a": range(10)})
    arrow = pyarrow.dataset
    for kind in ("parquet", "csv"):
        partitions = arrow.partitioning(years.schema.remove(1), flavor="hive")
        arrow.write_dataset(years, tmp_path / kind, format=kind, partitioning=partitions)
        dataset = arrow.dataset(tmp_path / kind, format=kind, partitioning="hive")
        found = np.concatenate(list(read(dataset, columns=["year", "a"])))
        assert found.tolist() == [[2020 + (a >= 5), a] for a in range(10)]


def test_types_of_columns(tmp_path):
    columns = pa.table(
        {
            "number": pa.array([1.5, None, 3.0]),
            "whole": pa.array([1, None, 3]),
            "full": pa.array([1, 2, 3]),
            "flag": pa.array([True, None, False]),
            "text": pa.array(["a", None, "c"]),
            "category": pa.array(["u", "v", "u"]).dictionary_encode(),
            "list": pa.array([[1, 2], [3, 4], [5, 6]]),
            "decimal": pa.array([1, 2, 3]).cast(pa.decimal128(22, 2)),
        }
    )
    pq.write_table(columns, tmp_path / "t.parquet", row_group_size=1)
    (x,) = list(read(tmp_path / "t.parquet", batch_size=3))
    nan = np.nan
    np.testing.assert_array_equal(x["number"], np.float32([1.5, nan, 3]))
    np.testing.assert_array_equal(x["whole"], np.float32([1, nan, 3]))
    assert x["full"].dtype.kind == "i" and x["full"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(x["flag"], np.float32([1, nan, 0]))
    assert x["text"].tolist() == ["a", None, "c"]
    assert x["category"].tolist() == ["u", "v", "u"]
    assert x["list"].shape == (3, 2)
    assert x["decimal"].tolist() == [1, 2, 3]
    ((one, y),) = list(
        read(tmp_path / "t.parquet", columns=["number", "whole"], target=["full", "flag"])
    )
    assert one.shape == y.shape == (3, 2) and one.dtype == y.dtype == np.float32
    (text,) = list(read(tmp_path / "t.parquet", columns="text"))
    assert text.tolist() == ["a", None, "c"]
    (named,) = list(read(tmp_path / "t.parquet", columns=["full"], as_dict=True))
    assert list(named) == ["full"]


def test_csv_finds_the_type_that_fits_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("slipstream.data.streams.text_tables._BLOCK_BYTES", 400)
    late = ["1"] * 200 + ["2.5", "", "7"]
    (tmp_path / "t.csv").write_text(
        "late,later,quoted\n" + "".join(f'{v},{v or "word"},"a\n{v}"\n' for v in late)
    )
    (x,) = list(read(tmp_path / "t.csv", batch_size=500))
    assert x["late"].dtype == np.float32
    np.testing.assert_array_equal(x["late"][-3:], np.float32([2.5, np.nan, 7]))
    assert x["later"][-2] == "word" and x["quoted"][200] == "a\n2.5"


def test_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("1,0,0\n2,0,1\n")
    with pytest.raises(ValueError, match=r"t\.csv.*several columns are called '0'.*header=None"):
        read(tmp_path / "t.csv")


def test_json_lines_find_late_and_wider_columns(tmp_path, monkeypatch):
    monkeypatch.setattr("slipstream.data.streams.text_tables._BLOCK_BYTES", 50)
    lines = ['{"a": 1}'] * 30 + ['{"a": 2.5, "b": "x"}'] + ['{"b": "y"}'] * 30
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    (x,) = list(read(tmp_path / "t.jsonl", batch_size=100))
    assert x["a"][30] == 2.5 and np.isnan(x["a"][31:]).all()
    assert x["b"][29:32].tolist() == [None, "x", "y"]


def test_large_text_is_kept_as_a_table_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("slipstream.data.streams.text_tables.KEPT_BYTES", 1000)
    monkeypatch.setattr("slipstream.data.streams.text_tables._BLOCK_BYTES", 2000)
    path = tmp_path / "t.csv"
    table().to_pandas().to_csv(path, index=False)
    assert ids(read(path)).tolist() == list(range(ROWS))
    (kept,) = (tmp_path / "cache" / "slipstream" / "tables").iterdir()
    monkeypatch.setattr("slipstream.data.streams.text_tables._blocks", None)  # not parsed again
    assert ids(read(path)).tolist() == list(range(ROWS))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    table(10, 5).to_pandas().to_csv(path, index=False)
    assert ids(read(path)).tolist() == list(range(5, 15))
    assert kept.exists()


def test_lines_of_text(tmp_path):
    with gzip.open(tmp_path / "t.txt.gz", "wt", encoding="utf-8") as file:
        file.write("first\n\nä third\n")
    (x,) = list(read(tmp_path / "t.txt.gz"))
    assert x["text"].tolist() == ["first", "", "ä third"]


# ---- order and position --------------------------------------------------------------------------


@given(
    batch=st.integers(1, 130),
    shuffle=st.sampled_from([False, True, 50, 250]),
    seed=st.integers(0, 3),
    number=st.integers(0, 3),
    data=st.data(),
)
@settings(deadline=None, max_examples=40)
def test_a_pass_from_any_place_on_is_the_rest_of_the_pass(
    parquet, batch, shuffle, seed, number, data
):
    stream = read(parquet, batch_size=batch, shuffle=shuffle)
    whole = list(stream.batches(seed, number))
    assert sorted(ids(whole)) == list(range(ROWS))
    assert [len(part) for part in whole[:-1]] == [batch] * (len(whole) - 1)
    skip = data.draw(st.integers(0, len(whole)))
    rest = list(stream.batches(seed, number, skip))
    assert len(rest) == len(whole) - skip
    for left, right in zip(whole[skip:], rest):
        np.testing.assert_array_equal(left, right)


def test_passes_differ_and_repeat_by_seed(parquet):
    stream = read(parquet, shuffle=True)
    first, second = (ids(stream.batches(1, number)) for number in (0, 1))
    assert (first != second).any() and (first != np.arange(ROWS)).any()
    np.testing.assert_array_equal(first, ids(stream.batches(1, 0)))
    assert (first != ids(stream.batches(2, 0))).any()
    own = read(parquet, shuffle=True, seed=1)
    np.testing.assert_array_equal(ids(own), first)
    np.testing.assert_array_equal(ids(own), second)
    np.testing.assert_array_equal(ids(own.batches(7, 0)), first)


def test_what_lies_before_is_not_read(parquet, monkeypatch):
    stream = read(parquet, batch_size=10, shuffle=True)
    read_parts = []
    table_of = type(stream._reading.files[0])._table

    def spy(self, part, names):
        read_parts.append(part)
        return table_of(self, part, names)

    monkeypatch.setattr(type(stream._reading.files[0]), "_table", spy)
    monkeypatch.setattr("slipstream.data.streams.pieces.WINDOW_BYTES", 1)  # a window a row group
    assert len(list(stream.batches(0, 0, skip=95))) == 5
    assert len(read_parts) == 1


def test_a_window_bounds_how_far_rows_move(parquet):
    found = ids(read(parquet, shuffle=1).batches(0, 0))  # a window is a row group of 90
    groups = found // 90
    assert len(set(groups.tolist())) == (np.diff(groups) != 0).sum() + 1
    wide = ids(read(parquet, shuffle=500).batches(0, 0)) // 90
    assert (np.diff(wide) != 0).sum() > 100


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    count=st.integers(1, 7),
)
@settings(deadline=None)
def test_shards_are_disjoint_even_and_complete(sizes, count):
    pieces = [Piece(0, part, 0, rows, rows) for part, rows in enumerate(sizes)]
    shares = [share_of(pieces, index, count) for index in range(count)]
    rows = [[(p.part, p.start + i) for p in share for i in range(p.rows)] for share in shares]
    together = [row for share in rows for row in share]
    assert sorted(together) == [(part, i) for part, n in enumerate(sizes) for i in range(n)]
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_hosts_share_the_rows_of_a_file(parquet):
    shards = [ids(read(parquet, shard=(index, 3), shuffle=True)) for index in range(3)]
    assert sorted(np.concatenate(shards).tolist()) == list(range(ROWS))


# ---- in training ---------------------------------------------------------------------------------


def model():
    made = Sequential([Input((2,)), Dense(3), Dense(1)])
    made.compile("adam", "mse")
    return made


def test_fit_evaluate_and_predict_take_a_stream(parquet):
    stream = read(parquet, columns=["id", "half"], target="price", batch_size=64)
    made = model()
    assert len(made.fit(stream, epochs=2, validation_data=stream, verbose=0).epoch) == 2
    x = table().to_pandas()[["id", "half"]].to_numpy(np.float32)
    y = table()["price"].to_numpy()
    wanted = made.evaluate(x, y, batch_size=64, verbose=0)
    np.testing.assert_allclose(made.evaluate(stream, verbose=0), wanted, rtol=1e-5)
    np.testing.assert_allclose(
        made.predict(read(parquet, columns=["id", "half"], batch_size=64)),
        made.predict(x),
        rtol=1e-4,
        atol=1e-3,
    )


def test_a_feature_space_takes_the_columns_of_a_table(tmp_path):
    rows = pa.table({"a": range(50), "s": ["u", "v"] * 25, "y": [0.0, 1.0] * 25})
    pq.write_table(rows, tmp_path / "t.parquet", row_group_size=9)
    features = FeatureSpace({"a": "float_normalized", "s": "string_categorical"})
    stream = read(tmp_path / "t.parquet", target="y", shuffle=True)
    features.adapt(stream.map(lambda x, y: x))
    made = Sequential([Dense(1)])
    made.compile("sgd", "mse")
    made.fit(stream.map(lambda x, y: (features(x), y)), epochs=2, verbose=0)
    plain = read(tmp_path / "t.parquet", columns=["a", "s"]).map(features)
    wanted = made.predict(features({"a": np.arange(50), "s": np.array(["u", "v"] * 25)}))
    np.testing.assert_allclose(made.predict(plain), wanted, rtol=1e-5)


def test_a_source_goes_on_where_the_steps_have_brought_it(parquet):
    source = make_source(read(parquet, shuffle=True, batch_size=100), steps=4)
    whole = [x for number in range(2) for x in source.batches.batches(3, number)]
    place, parts = source.begin(3, 0), []
    for _ in range(6):
        begun = place
        parts.append(np.concatenate([x for x, _, _ in source.epoch(place)]))
        place = source.after(place)
    assert [len(part) for part in parts] == [400, 400, 200] * 2
    np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(whole))
    assert begun == (3, 1, 8)
    fresh = make_source(read(parquet, shuffle=True, batch_size=100), steps=4)
    rest = [x for x, _, _ in fresh.epoch(Place(3, 1, 4), skip=2)]
    np.testing.assert_array_equal(np.concatenate(rest), np.concatenate(whole[16:18]))


def test_map_and_transform_change_batches_and_keep_places(parquet):
    stream = read(parquet, target="price", transform=lambda x, y: (x[:, :1] + 1, y)).map(
        lambda x, y: {"a": x, "b": y}
    )
    assert isinstance(stream, Stream)
    found = list(stream.batches(0, 0, skip=3))
    assert found[0]["a"][0, 0] == 97 and found[0]["b"][0] == 960
    assert stream.first()["a"].shape == (32, 1)


# ---- what goes wrong -----------------------------------------------------------------------------


def break_page(path):
    """Destroy values in the middle of a file, whose footer stays whole."""
    content = bytearray(path.read_bytes())
    for at in range(200, 600):
        content[at] ^= 0x5A
    path.write_bytes(content)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-300]),
    "noise": lambda path: path.write_bytes(os.urandom(3000)),
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.arrows", "t.npz", "t.h5", "t.jsonl"])
def test_a_damaged_file_is_named(name, how, tmp_path):
    path = tmp_path / name
    WRITERS[name](str(path))
    DAMAGE[how](path)
    with pytest.raises(ValueError, match=name):
        list(read(path))


def test_damaged_files_among_others_are_counted_named_and_left_out(tmp_path):
    for number in range(4):
        pq.write_table(table(100, number * 100), tmp_path / f"{number}.parquet")
    DAMAGE["cut short"](tmp_path / "1.parquet")
    pq.write_table(pa.table({"other": [1]}), tmp_path / "3.parquet")
    stream = read(tmp_path, columns=["id"], batch_size=64)
    with pytest.warns(UserWarning, match=r"2 of the files.*1\.parquet.*ArrowInvalid"):
        assert ids(stream).tolist() == [*range(100), *range(200, 300)]
    assert [os.path.basename(path) for path, _ in stream.bad] == ["1.parquet", "3.parquet"]
    assert "no column 'id'" in stream.bad[1][1]
    with pytest.raises(ValueError, match=r"1\.parquet.*could not be read"):
        read(tmp_path, errors="raise")


def test_damage_found_while_reading_keeps_all_other_rows_in_their_places(tmp_path):
    for number in range(3):
        pq.write_table(
            table(100, number * 100),
            tmp_path / f"{number}.parquet",
            compression="zstd",
            use_dictionary=False,
        )
    whole = list(read(tmp_path, batch_size=30, shuffle=True).places(0, 0))
    break_page(tmp_path / "1.parquet")
    stream = read(tmp_path, batch_size=30, shuffle=True)
    with pytest.warns(UserWarning, match=r"1\.parquet"):
        found = list(stream.places(0, 0))
    assert len(found) == len(whole)
    for left, right in zip(whole, found):
        np.testing.assert_array_equal(left[(left[:, 0] < 100) | (left[:, 0] >= 200)], right)
    with pytest.raises(ValueError, match=r"1\.parquet"):
        list(read(tmp_path, errors="raise"))


@pytest.mark.filterwarnings("ignore:1 of the files")
def test_batches_that_are_lost_are_no_steps_and_no_row_comes_twice(tmp_path):
    for number in range(3):
        pq.write_table(
            table(100, number * 100),
            tmp_path / f"{number}.parquet",
            compression="zstd",
            use_dictionary=False,
        )
    break_page(tmp_path / "1.parquet")
    source = BatchSource(read(tmp_path, batch_size=10))
    place = source.begin(0, 0)
    for number in range(3):
        epoch = [x for x, _, _ in source.epoch(place)]
        place = source.after(place)
        assert place == (0, number + 1, 0)
        assert ids(epoch).tolist() == [*range(100), *range(200, 300)]


def doubled(x):
    return x * 2


def failing(x):
    if (x[:, 0] > 500).any():
        raise KeyError("no such word")
    return x


def shrinking(x):
    return x[1:]


def test_processes_give_the_same_batches_as_threads(parquet):
    threads = read(parquet, transform=doubled, shuffle=True, seed=0)
    processes = read(parquet, transform=doubled, shuffle=True, seed=0, workers=1)
    for left, right in zip(threads, processes, strict=True):
        np.testing.assert_array_equal(left, right)
    bad = read(parquet, transform=failing, workers=1)
    with pytest.raises(RuntimeError, match=r"t\.parquet.*KeyError: 'no such word'"):
        list(bad)


def test_a_transformation_that_fails_is_an_error_with_the_file(parquet):
    with pytest.raises(RuntimeError, match=r"t\.parquet.*KeyError: 'no such word'"):
        list(read(parquet, transform=failing))
    with pytest.raises(RuntimeError, match=r"89, 3.*of 90 rows.*as many rows"):
        list(read(parquet, transform=shrinking))
    with pytest.raises(ValueError, match=r"workers=1.*top of a module"):
        read(parquet, transform=lambda x: x, workers=1)


def test_reading_can_be_sent_to_a_process(parquet):
    stream = read(parquet)
    again = pickle.loads(pickle.dumps(stream._reading))
    np.testing.assert_array_equal(again(stream._pieces[3]).data[:, 0], np.arange(270, 360))


def test_work_ahead_is_bounded_by_bytes():
    begun = []
    workers = Workers(begun.append, 0)
    results = workers(range(100), lambda _: 2**40)
    next(results)
    assert len(begun) <= 2
    results.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "prise"}, ValueError, r"target: .*'prise'\. Did you mean 'price'\?"),
        ({"columns": ["id", "zzz"]}, ValueError, "columns: there is no column 'zzz'"),
        ({"columns": ["id"], "target": "id"}, ValueError, "'id' is among columns and target"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number, at least 1; got 0"),
        ({"workers": -1}, ValueError, "workers must be"),
        ({"errors": "ignore"}, ValueError, "errors must be 'skip' or 'raise'; got 'ignore'"),
        ({"shard": (2, 2)}, ValueError, r"shard must be \(index, count\)"),
        ({"shuffle": -3}, ValueError, "shuffle must be"),
    ],
)
def test_arguments_that_make_no_sense(arguments, error, message, parquet):
    with pytest.raises(error, match=message):
        read(parquet, **arguments)


def test_sources_that_make_no_sense(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.parquet"):
        read(tmp_path / "nothing.parquet")
    (tmp_path / "a.xyz").write_text("")
    with pytest.raises(ValueError, match=r"a\.xyz' is of no kind that can be read: .*\.parquet"):
        read(tmp_path / "a.xyz")
    with pytest.raises(ValueError, match="of a kind that can be read"):
        read(tmp_path)
    with pytest.raises(TypeError, match="ndarray"):
        read(np.ones(3))
    pq.write_table(table(0), tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="has no rows"):
        read(tmp_path / "none.parquet")
    np.savez(tmp_path / "t.npz", a=np.ones(3), b=np.ones(4))
    with pytest.raises(ValueError, match=r"'a': 3, 'b': 4"):
        read(tmp_path / "t.npz")
    np.save(tmp_path / "o.npy", np.array([{}], object))
    with pytest.raises(ValueError, match="may run code"):
        read(tmp_path / "o.npy")
    with pytest.raises(ValueError, match="filtered"):
        read(pyarrow.dataset.dataset(table()).filter(pyarrow.dataset.field("id") > 3))
    with pytest.raises(TypeError, match=r"x is the path .*slipstream\.data\.read"):
        make_source("t.parquet")
    with pytest.raises(TypeError, match=r"slipstream\.data\.read"):
        make_source(pyarrow.dataset.dataset(table()))


def test_one_row_and_one_column(tmp_path):
    pd.DataFrame({"a": [3]}).to_parquet(tmp_path / "t.parquet")
    (x,) = list(read(tmp_path / "t.parquet", shuffle=True, batch_size=5))
    assert x.tolist() == [[3.0]]
