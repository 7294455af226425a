"""`TextVectorization`: raw text as sequences of word numbers, or as bags of words."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.layers.preprocessing import vocabulary as files
from slipstream.layers.preprocessing.encoding import encoded_shape
from slipstream.layers.preprocessing.host import (
    HostLayer,
    as_text,
    batches_of,
    no_sparse,
    one_of,
)
from slipstream.layers.preprocessing.string_lookup import StringLookup

# Letters beyond ASCII stay as they are, as in Keras.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_STRIP = str.maketrans("", "", string.punctuation)
_STANDARDIZE: dict[str, dict[int, Any]] = {
    "lower_and_strip_punctuation": {**_LOWER, **_STRIP},
    "lower": _LOWER,
    "strip_punctuation": _STRIP,
}
_WORD = re.compile(r"[^ \t\n\r\f\v]+")
_MODES = ("int", "multi_hot", "count", "tf_idf")


@register("layer")
class TextVectorization(HostLayer):
    """Raw text as word numbers ``(batch, words)``, or as bags of words ``(batch, vocabulary)``.

    Each text is standardized, split, joined into n-grams, and looked up. Works on the host, on
    strings or bytes ``()``, ``(batch,)`` or ``(batch, 1)``.

    Args:
        max_tokens: size of the vocabulary at most, special tokens included.
        standardize: ``"lower_and_strip_punctuation"``, ``"lower"`` or ``"strip_punctuation"``
            (all for ASCII), None, or a function of one text.
        split: ``"whitespace"``, ``"character"``, None, or a function of one text that gives a list.
        ngrams: also join up to so many words, or the given numbers of words.
        output_mode: ``"int"``: numbers, padded with 0, unknown words 1; or ``"multi_hot"``,
            ``"count"`` or ``"tf_idf"``.
        output_sequence_length: cut or pad ``"int"`` outputs to this length; else they are as long
            as the longest text of the call.
        pad_to_max_tokens: make bags `max_tokens` wide whatever the vocabulary has.
        vocabulary: tokens in order, or the path of a text file with one a line.
        idf_weights: weight of each token, for ``"tf_idf"`` with a given vocabulary.
        sparse, ragged: not supported.
        encoding: of bytes.

    Raises:
        ValueError: if arguments do not fit together, an input is no text, or the layer is called
            before it has a vocabulary.
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        saved_size = kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, **kwargs)
        no_sparse(self, sparse)
        no_sparse(self, ragged, "ragged")
        if not callable(standardize):
            one_of(self, "standardize", standardize, (*_STANDARDIZE, None))
        if not callable(split):
            one_of(self, "split", split, ("whitespace", "character", None))
        self.max_tokens = max_tokens
        self.standardize = standardize
        self.split = split
        self.ngrams = ngrams
        self._widths = self._ngram_widths(ngrams)
        self.output_mode = one_of(self, "output_mode", output_mode, _MODES)
        self.output_sequence_length = self._length(output_sequence_length)
        self.pad_to_max_tokens = pad_to_max_tokens
        self.encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            pad_to_max_tokens=pad_to_max_tokens,
            output_mode=output_mode,
            encoding=encoding,
            name=f"{self.name}_lookup",
            vocabulary_size=saved_size,
        )

    def _ngram_widths(self, ngrams: Any) -> tuple[int, ...]:
        if ngrams is None:
            return (1,)
        if isinstance(ngrams, int) and ngrams > 0:
            return tuple(range(1, ngrams + 1))
        if isinstance(ngrams, (tuple, list)) and all(isinstance(n, int) and n > 0 for n in ngrams):
            return tuple(ngrams)
        raise ValueError(
            f"TextVectorization layer {self.name!r}: ngrams must be a number of words or several "
            f"of them; got {ngrams!r}."
        )

    def _length(self, length: Any) -> int | None:
        if length is None:
            return None
        if self.output_mode != "int":
            problem = f"needs output_mode='int'; it is {self.output_mode!r}"
        elif not isinstance(length, int) or length < 1:
            problem = f"must be a whole number of at least 1; got {length!r}"
        else:
            return length
        raise ValueError(
            f"TextVectorization layer {self.name!r}: output_sequence_length {problem}."
        )

    # ---- the vocabulary ----------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary from texts: an array, or an iterable of batches.

        Raises:
            ValueError: if the vocabulary was given to the constructor.
        """
        if self._lookup_layer.input_vocabulary is not None:
            self._lookup_layer.adapt(())
        self.reset_state()
        for step, batch in enumerate(batches_of(data)):
            if step == steps:
                break
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget what `adapt` has seen and learnt."""
        self._lookup_layer.reset_state()

    def update_state(self, data: Any) -> None:
        """Count the words of a batch of texts."""
        texts, _ = self._texts(data)
        self._lookup_layer._tally.add(map(self._tokens_of, texts))

    def finalize_state(self) -> None:
        """Take the vocabulary from what was seen since `reset_state`."""
        self._lookup_layer.finalize_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """All tokens in the order of their numbers."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """Number of tokens, special ones included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a given vocabulary; see `StringLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    # ---- from text to tokens -----------------------------------------------------------------

    def _texts(self, inputs: Any) -> tuple[list[str], bool]:
        """The texts of an input, and whether it was a single one."""
        texts = as_text(inputs, self, self.encoding)
        if texts.ndim > 1 and texts.shape[-1] != 1:
            raise ValueError(
                f"TextVectorization layer {self.path!r} takes texts (batch,) or (batch, 1); got "
                f"shape {texts.shape}. Join the columns first, or use a layer for each."
            )
        if texts.ndim > 2:
            raise ValueError(
                f"TextVectorization layer {self.path!r} takes texts (batch,) or (batch, 1); got "
                f"shape {texts.shape}. Flatten them first."
            )
        return texts.ravel().tolist(), texts.ndim == 0

    def _tokens_of(self, text: str) -> list[str]:
        if callable(self.standardize):
            text = _plain(self.standardize(text))
        elif self.standardize is not None:
            text = text.translate(_STANDARDIZE[self.standardize])
        if callable(self.split):
            words = [_plain(word) for word in self.split(text)]
        elif self.split == "whitespace":
            words = _WORD.findall(text)
        else:
            words = list(text) if self.split == "character" else [text]
        if self._widths == (1,):
            return words
        return [
            " ".join(words[i : i + width])
            for width in self._widths
            for i in range(len(words) - width + 1)
        ]

    def call(self, inputs: Any) -> Any:
        """Numbers of the words, or bags of words."""
        lookup = self._lookup_layer
        lookup._check_ready()
        texts, single = self._texts(inputs)
        table = lookup._numbers()
        rows = [[table[token] for token in self._tokens_of(text)] for text in texts]
        whole = self.output_mode == "int"
        length = self.output_sequence_length or max(map(len, rows), default=0)
        numbers = np.full((len(rows), length), 0 if whole else -1, np.int32)
        for place, row in enumerate(rows):
            numbers[place, : len(row)] = row[:length]
        if whole and self.split is None and self._widths == (1,):
            flat = as_text(inputs, self, self.encoding).shape
            return numbers[:, :1].reshape(flat)
        outputs = lookup._encode(numbers)
        return outputs[0] if single else outputs

    @property
    def output_dtype(self) -> str:
        """``"int32"``; ``"tf_idf"`` gives floats."""
        return self.compute_dtype if self.output_mode == "tf_idf" else "int32"

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, words)`` or ``(batch, vocabulary)``."""
        if self.output_mode == "int":
            if self.split is None:
                return tuple(input_shape)
            return (input_shape[0], self.output_sequence_length)
        return encoded_shape((input_shape[0], None), self._lookup_layer._depth, self.output_mode)

    # ---- configuration and saving ------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer; what was learnt is saved beside them."""
        given, weights = self._lookup_layer._given()
        return {
            **super().get_config(),
            "max_tokens": self.max_tokens,
            "standardize": registry.serialize(self.standardize),
            "split": registry.serialize(self.split),
            "ngrams": self.ngrams,
            "output_mode": self.output_mode,
            "output_sequence_length": self.output_sequence_length,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "sparse": False,
            "ragged": False,
            "vocabulary": given,
            "idf_weights": weights,
            "encoding": self.encoding,
            "vocabulary_size": self.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that `get_config` described."""
        config = dict(config)
        for name in ("standardize", "split"):
            if isinstance(config.get(name), dict):
                config[name] = registry.deserialize(config[name])
        return super().from_config(config)

    def save_assets(self, directory: Any) -> None:
        """Keep a learnt vocabulary in a folder, as Keras does."""
        self._lookup_layer.save_assets(directory)

    def load_assets(self, directory: Any) -> None:
        """Take the vocabulary that `save_assets` kept."""
        if (Path(directory) / files.FILE).is_file():
            self._lookup_layer.load_assets(directory)

    def save_own_variables(self, store: Any) -> None:
        """Put learnt weights of ``"tf_idf"`` into a mapping of arrays."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Take the weights that `save_own_variables` put there."""
        self._lookup_layer.load_own_variables(store)


def _plain(token: Any) -> str:
    """What a user's function gave, as a string."""
    if hasattr(token, "numpy"):
        token = token.numpy()
    return token.decode() if isinstance(token, bytes) else str(token)
