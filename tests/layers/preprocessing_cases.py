"""Cases for the layers that Keras needs TensorFlow to run, and what Keras made of them.

`python preprocessing_cases.py` runs them in Keras (with TensorFlow installed) and writes
preprocessing_expected.json, which the tests read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

EXPECTED = Path(__file__).with_name("preprocessing_expected.json")

WORDS = ["earth", "wind", "fire", "unknown", "", "wind"]
ROWS = [["earth", "wind"], ["fire", "else"], ["wind", "wind"]]
VOCABULARY = ["earth", "wind", "fire"]
SENTENCES = [
    "The quick brown fox.",
    "  the   DOG, the fox!\tand\nthe cat",
    "",
    "Ünïcode — «quotes» It's a-b_c 1,5 日本 語",
]
TEXTS = ["a b c b a", "b c d", "d e f a b", "é É ß"]
NUMBERS = [7, 3, 42, 1000, -1, 0, 3]
GRID = [[7, 3], [42, 1000], [3, 3]]
NORMAL = np.random.default_rng(0).normal(size=200).round(3).tolist()

LONG = ["x" * n for n in (0, 1, 3, 4, 7, 8, 15, 16, 17, 32, 33, 64, 65, 100, 128, 129, 300)]


class Case:
    """One call of one layer.

    Args:
        layer: its name.
        arguments: those of the constructor.
        x: the input of the call (a tuple for several).
        adapt: data to adapt to first, or a list of batches of them.
    """

    def __init__(self, layer: str, arguments: dict[str, Any], x: Any, adapt: Any = None) -> None:
        self.layer, self.arguments, self.x, self.adapt = layer, arguments, x, adapt

    @property
    def key(self) -> str:
        """What tells this case from all others."""
        return f"{self.layer}{self.arguments} adapt={self.adapt} x={self.x}"

    def run(self, layers: Any) -> list[dict[str, Any]]:
        """What the layers of `layers` (a module) make of it, ready for JSON."""
        layer = getattr(layers, self.layer)(**self.arguments)
        if self.adapt is not None:
            layer.adapt(np.asarray(self.adapt))
        if isinstance(self.x, tuple):
            output = layer(tuple(np.asarray(part) for part in self.x))
        else:
            output = layer(np.asarray(self.x))
        results = [describe(output)]
        if hasattr(layer, "get_vocabulary"):
            words = [
                word.item() if hasattr(word, "item") else word for word in layer.get_vocabulary()
            ]
            results.append({"vocabulary": words, "size": int(layer.vocabulary_size())})
        if hasattr(layer, "bin_boundaries"):
            results.append({"boundaries": np.asarray(layer.bin_boundaries).tolist()})
        config = layer.get_config()
        config.pop("name")
        results.append({"config": json.loads(json.dumps(config, default=_plain))})
        return results


def describe(output: Any) -> dict[str, Any]:
    """Shape, kind and values of an array; text as text."""
    array = np.asarray(output)
    if array.dtype.kind in "OSU":
        values = [v.decode() if isinstance(v, bytes) else str(v) for v in array.ravel()]
        return {"kind": "text", "shape": list(array.shape), "values": values}
    return {
        "kind": "int" if array.dtype.kind in "iu" else "float",
        "shape": list(array.shape),
        "values": [float(v) for v in array.ravel()],
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "get_config"):
        return value.name
    return np.asarray(value).tolist()


S, N, T = "StringLookup", "IntegerLookup", "TextVectorization"
CASES = [
    Case(
        "Discretization", {"bin_boundaries": [0.0, 1.0, 2.5]}, [[-1.0, 0.0], [0.5, 1.0], [2.5, 9]]
    ),
    Case("Discretization", {"bin_boundaries": [0.0, 1.0]}, [-1.0, 0.0, 7.0]),
    Case(
        "Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "one_hot"}, [-1.0, 0.5, 7]
    ),
    Case("Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "one_hot"}, [[-1.0], [7]]),
    Case(
        "Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "count"}, [[-1.0, -2.0, 7]]
    ),
    Case(
        "Discretization",
        {"bin_boundaries": [0.0, 1.0], "output_mode": "multi_hot"},
        [[-1.0, -2, 7], [3, 4, 5]],
    ),
    Case("Discretization", {"num_bins": 3}, [[1.0, 5.0, 9.0]], list(range(10))),
    Case("Discretization", {"num_bins": 4}, NORMAL[:8], NORMAL),
    Case("Discretization", {"num_bins": 5, "epsilon": 0.1}, NORMAL[:8], NORMAL),
    Case("Discretization", {"num_bins": 3}, [1.0, 2.0], [[1.0, 2.0], [2.0, 2.0]]),
    Case("CategoryEncoding", {"num_tokens": 4}, [[0, 1], [0, 0], [1, 2], [3, 1]]),
    Case("CategoryEncoding", {"num_tokens": 4}, [0, 1, 3]),
    Case("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, [3, 2, 0, 1]),
    Case("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, [[3], [2]]),
    Case("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, [[3, 1], [2, 2]]),
    Case("CategoryEncoding", {"num_tokens": 4, "output_mode": "count"}, [[0, 1, 0], [3, 3, 3]]),
    Case("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, [3]),
    Case("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, 3),
    Case("CategoryEncoding", {"num_tokens": 4}, 3),
    Case("CategoryEncoding", {"num_tokens": 4}, [3]),
    Case("Hashing", {"num_bins": 3}, [["A"], ["B"], ["C"], ["D"], ["E"]]),
    Case("Hashing", {"num_bins": 1000003}, LONG),
    Case("Hashing", {"num_bins": 1000003, "salt": 133}, LONG),
    Case("Hashing", {"num_bins": 1000003, "salt": [133, 137]}, LONG),
    Case("Hashing", {"num_bins": 3, "mask_value": ""}, [["A"], ["B"], [""], ["C"]]),
    Case("Hashing", {"num_bins": 1000}, NUMBERS),
    Case("Hashing", {"num_bins": 1000, "salt": 7}, NUMBERS),
    Case("Hashing", {"num_bins": 10, "mask_value": 0}, NUMBERS),
    Case("Hashing", {"num_bins": 4, "output_mode": "one_hot"}, ["A", "B", "C"]),
    Case("Hashing", {"num_bins": 4, "output_mode": "multi_hot"}, [["A", "B"], ["C", "C"]]),
    Case("Hashing", {"num_bins": 4, "output_mode": "count"}, [["A", "B"], ["C", "C"]]),
    Case("HashedCrossing", {"num_bins": 5}, (["A", "B", "A"], [101, 102, 101])),
    Case("HashedCrossing", {"num_bins": 100003}, (["A", "B", "A"], ["x", "y", "longer words"])),
    Case("HashedCrossing", {"num_bins": 100003}, ([1, 2, -3], [101, 102, 101])),
    Case("HashedCrossing", {"num_bins": 100003}, ([[1], [2]], [["p"], ["q"]])),
    Case("HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, (["A", "B"], [101, 102])),
    Case("HashedCrossing", {"num_bins": 1000}, ([1, 2], [101, 102], ["A", "B"])),
    Case(S, {"vocabulary": VOCABULARY}, WORDS),
    Case(S, {"vocabulary": VOCABULARY}, ROWS),
    Case(S, {"vocabulary": VOCABULARY, "mask_token": ""}, WORDS),
    Case(S, {"vocabulary": VOCABULARY, "num_oov_indices": 0}, VOCABULARY),
    Case(S, {"vocabulary": VOCABULARY, "num_oov_indices": 3}, [*WORDS, "a", "b", "c"]),
    Case(S, {"vocabulary": VOCABULARY, "num_oov_indices": 3, "mask_token": ""}, [*WORDS, "a", "b"]),
    Case(S, {"vocabulary": ["[UNK]", *VOCABULARY]}, WORDS),
    Case(S, {"vocabulary": ["", "[UNK]", *VOCABULARY], "mask_token": ""}, WORDS),
    Case(S, {"vocabulary": VOCABULARY, "oov_token": "?"}, WORDS),
    Case(S, {"vocabulary": VOCABULARY, "output_mode": "one_hot"}, WORDS),
    Case(S, {"vocabulary": VOCABULARY, "output_mode": "one_hot"}, [["wind"], ["fire"]]),
    Case(S, {"vocabulary": VOCABULARY, "output_mode": "multi_hot"}, ROWS),
    Case(S, {"vocabulary": VOCABULARY, "output_mode": "count"}, ROWS),
    Case(S, {"vocabulary": VOCABULARY, "output_mode": "count"}, WORDS),
    Case(S, {"vocabulary": VOCABULARY, "output_mode": "multi_hot", "mask_token": ""}, ROWS),
    Case(
        S, {"vocabulary": VOCABULARY, "output_mode": "tf_idf", "idf_weights": [0.3, 0.2, 0.5]}, ROWS
    ),
    Case(
        S,
        {
            "vocabulary": VOCABULARY,
            "output_mode": "multi_hot",
            "max_tokens": 6,
            "pad_to_max_tokens": True,
        },
        ROWS,
    ),
    Case(S, {"vocabulary": VOCABULARY, "invert": True}, [1, 2, 3, 0, 3]),
    Case(S, {"vocabulary": VOCABULARY, "invert": True, "mask_token": ""}, [[1, 2], [3, 0], [4, 9]]),
    Case(S, {"vocabulary": VOCABULARY, "invert": True, "num_oov_indices": 2}, [0, 1, 2, 3, 4]),
    Case(S, {}, WORDS, ["b", "a", "b c", "wind", "wind"]),
    Case(S, {"max_tokens": 3}, WORDS, ["b", "a", "b c", "wind", "wind"]),
    Case(S, {"max_tokens": 3, "num_oov_indices": 2}, WORDS, ["b", "a", "b c", "wind", "wind"]),
    Case(S, {"mask_token": ""}, WORDS, ["b", "a", "", "", "", "wind", "wind"]),
    Case(
        S, {"output_mode": "multi_hot", "mask_token": ""}, ROWS, ["b", "wind", "", "", "", "wind"]
    ),
    Case(S, {}, ["é", "z", "É"], ["é", "z", "É", "ab", "aa", "[UNK]", "z"]),
    Case(S, {"output_mode": "tf_idf"}, ROWS, ROWS),
    Case(S, {"output_mode": "tf_idf", "max_tokens": 8, "pad_to_max_tokens": True}, ROWS, ROWS),
    Case(S, {"output_mode": "tf_idf", "mask_token": "wind"}, ROWS, ROWS),
    Case(N, {"vocabulary": [12, 36, 1138, 42]}, [[12, 1138, 42], [42, 1000, 36]]),
    Case(N, {"vocabulary": [12, 36], "num_oov_indices": 0}, [12, 36]),
    Case(N, {"vocabulary": [12, 36], "num_oov_indices": 2}, [12, 36, 5, 6, 7, -1, -2]),
    Case(
        N, {"vocabulary": [12, 36], "num_oov_indices": 3, "mask_token": 0}, [0, 12, 36, 5, 6, 7, -7]
    ),
    Case(N, {"vocabulary": [12, 36], "mask_token": 0}, [12, 36, 0, 5]),
    Case(N, {"vocabulary": [-1, 12, 36]}, [12, 36, 0, 5]),
    Case(N, {"vocabulary": [12, 36], "invert": True}, [0, 1, 2]),
    Case(N, {"vocabulary": [12, 36], "invert": True, "mask_token": 0}, [0, 1, 2, 3]),
    Case(N, {"vocabulary": [12, 36], "output_mode": "one_hot"}, [12, 36, 4]),
    Case(N, {"vocabulary": [12, 36], "output_mode": "multi_hot"}, [[12, 36], [4, 4]]),
    Case(N, {"vocabulary": [12, 36], "output_mode": "count"}, [[12, 36], [4, 4]]),
    Case(
        N,
        {"vocabulary": [12, 36], "output_mode": "tf_idf", "idf_weights": [0.2, 0.7]},
        [[12, 36], [4, 12]],
    ),
    Case(N, {}, NUMBERS, [3, 3, 42, 42, 7, 9, 10]),
    Case(N, {"max_tokens": 3}, NUMBERS, [3, 3, 42, 42, 7, 9, 10]),
    Case(N, {"mask_token": 0}, NUMBERS, [3, 3, 0, 0, 0, 42, 42, 7, 9, 10]),
    Case(N, {"output_mode": "tf_idf"}, GRID, GRID),
    Case(S, {"vocabulary": ["q"], "num_oov_indices": 3, "salt": 7}, LONG),
    Case(S, {"vocabulary": ["q"], "num_oov_indices": 3, "salt": [7, 8]}, LONG),
    Case(S, {"output_mode": "tf_idf"}, [["a", "b", "q"]], ["a", "b", "a"]),
    Case(
        S,
        {"vocabulary": ["a"], "output_mode": "count", "mask_token": "m"},
        [["a", "m"], ["b", "m"]],
    ),
    Case(S, {"vocabulary": ["a"], "output_mode": "one_hot", "mask_token": "m"}, ["a", "m", "b"]),
    Case(N, {"vocabulary": [5], "output_mode": "multi_hot", "mask_token": 0}, [[5, 0], [0, 7]]),
    Case(S, {"vocabulary": ["a"], "output_mode": "one_hot"}, [[["a"], ["b"]]]),
    Case(S, {"vocabulary": ["a"]}, "a"),
    Case(S, {"vocabulary": ["a"], "output_mode": "multi_hot"}, "a"),
    Case(S, {"vocabulary": ["a"], "output_mode": "one_hot"}, "a"),
    Case(N, {"vocabulary": [9], "num_oov_indices": 3, "oov_method": "farmhash"}, NUMBERS),
    Case(
        N,
        {"vocabulary": [9], "num_oov_indices": 3, "oov_method": "farmhash", "mask_token": 0},
        NUMBERS,
    ),
    Case(
        N, {"vocabulary": [9], "num_oov_indices": 3, "oov_method": "farmhash", "salt": 7}, NUMBERS
    ),
    Case(N, {"vocabulary": [2**40, 5]}, [5, 2**40, 2**41]),
    Case(T, {"vocabulary": ["a", "b", "fox"]}, SENTENCES),
    Case(T, {"vocabulary": ["a"]}, "a b"),
    Case(T, {"vocabulary": ["a"], "output_sequence_length": 4}, "a b"),
    Case(T, {"vocabulary": ["a"], "output_mode": "count"}, "a b"),
    Case(T, {"vocabulary": ["a", "b", "fox"]}, [["a b"], ["fox b a"]]),
    Case(T, {}, SENTENCES, SENTENCES),
    Case(T, {"max_tokens": 4}, SENTENCES, SENTENCES),
    Case(T, {"output_sequence_length": 3}, SENTENCES, SENTENCES),
    Case(T, {"output_sequence_length": 12}, SENTENCES, SENTENCES),
    Case(T, {"standardize": "lower"}, SENTENCES, SENTENCES),
    Case(T, {"standardize": "strip_punctuation"}, SENTENCES, SENTENCES),
    Case(T, {"standardize": None}, SENTENCES, SENTENCES),
    Case(T, {"split": None}, SENTENCES, SENTENCES),
    Case(T, {"split": "character"}, ["ab c", "é", ""], ["ab c", "é日", ""]),
    Case(T, {"ngrams": 2}, TEXTS, TEXTS),
    Case(T, {"ngrams": (2, 3)}, TEXTS, TEXTS),
    Case(T, {"ngrams": 3, "output_mode": "count"}, TEXTS, TEXTS),
    Case(T, {"output_mode": "multi_hot"}, SENTENCES, SENTENCES),
    Case(
        T, {"output_mode": "multi_hot", "max_tokens": 20, "pad_to_max_tokens": True}, TEXTS, TEXTS
    ),
    Case(T, {"output_mode": "count"}, [["a a b"], ["c q q"]], TEXTS),
    Case(T, {"output_mode": "tf_idf"}, ["a a b", "c q q", ""], TEXTS),
    Case(T, {"output_mode": "tf_idf", "max_tokens": 4}, ["a a b", "c q q", ""], TEXTS),
    Case(
        T,
        {"output_mode": "tf_idf", "vocabulary": ["a", "b"], "idf_weights": [0.5, 2.0]},
        ["a a b", "c q"],
    ),
]


if __name__ == "__main__":
    import keras

    found: dict[str, Any] = {}
    for case in CASES:
        try:
            found[case.key] = case.run(keras.layers)
        except Exception as error:
            found[case.key] = [{"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}]
            print("!", case.key[:150], found[case.key])
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
