"""`IntegerLookup`: integers by their numbers in a vocabulary."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.core.symbol import symbols_in
from slipstream.layers.preprocessing.hashing import hash_text
from slipstream.layers.preprocessing.lookup import UNKNOWN, Lookup

_CLOSE, _FEW = 4, 2**16  # values between the least and the greatest: for each known one, and in all
_NONE = -3  # number of a value that is not known


@register("layer")
class IntegerLookup(Lookup):
    """Integers of any size and order as small numbers: their places in a vocabulary.

    Called on data it works on the host, in 64 bits. Within a model it is part of the program, for
    values and vocabularies of 32 bits.

    Args:
        max_tokens: size of the vocabulary at most, mask and unknown values included.
        num_oov_indices: numbers for unknown values; several are shared out by remainder.
        mask_token: value that gets number 0 in mode ``"int"``; none if not given.
        oov_token: what stands for unknown values in `get_vocabulary` and with `invert`.
        vocabulary: values in order, or the path of a text file with one a line.
        vocabulary_dtype: ``"int64"`` or ``"int32"``.
        idf_weights: weight of each value, for ``"tf_idf"`` with a given vocabulary.
        invert: turn numbers into values instead.
        output_mode, pad_to_max_tokens, sparse: as in `StringLookup`.
        oov_method: ``"floormod"``, or ``"farmhash"`` (on the host only): by hash of the digits.
        salt: one or two whole numbers: another hash, for ``"farmhash"``.

    Raises:
        ValueError: if arguments do not fit together, or the layer is called before it has a
            vocabulary.
    """

    on_host = False

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.vocabulary_dtype = vocabulary_dtype
        if salt is not None and oov_method != "farmhash":
            raise ValueError(
                f"IntegerLookup: salt needs oov_method='farmhash'; got {oov_method!r}."
            )
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            oov_method,
            salt,
            name=name,
            **kwargs,
        )

    @property
    def output_dtype(self) -> str:
        """``"int32"``; ``"tf_idf"`` gives floats."""
        return "int32" if self.invert else super().output_dtype

    def _parse(self, tokens: Any) -> list[int]:
        return [int(token) for token in tokens]

    def _read(self, inputs: Any) -> np.ndarray:
        values = np.asarray(inputs)
        if values.dtype.kind not in "iufb":
            raise ValueError(
                f"IntegerLookup layer {self.path!r} works on integers; got {values.dtype}. Use "
                "StringLookup for text."
            )
        return values.astype(np.int64)

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Look up, on the host for data and in the program for what is traced."""
        traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(inputs))
        if symbols_in(inputs) or not traced:
            return super().__call__(inputs, **kwargs)
        return Layer.__call__(self, inputs, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Look integers up, or numbers with `invert`."""
        if not isinstance(inputs, jax.core.Tracer):
            return super().call(inputs)
        self._check_ready()
        if self.oov_method == "farmhash" and self.num_oov_indices > 1:
            raise ValueError(
                f"IntegerLookup layer {self.path!r}: oov_method='farmhash' works on the host only. "
                "Apply the layer to the data before the model, or use 'floormod'."
            )
        if self.invert:
            return self._take(inputs.astype("int32"))
        return self._encode(self._find(inputs.astype("int32")))

    def _numbers(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """The known values in ascending order, their numbers, and whether these lie close together.

        Numbers of values that do, stand for all from the least value to the greatest, `_NONE` for
        those between.
        """
        if self._table is None:
            specials = len(self._specials())
            pairs = [(token, specials + i) for i, token in enumerate(self._tokens)]
            if self.mask_token is not None:
                pairs.append((self.mask_token, self._mask_number))
            pairs.sort()
            values, numbers = (np.array(column, np.int64) for column in zip(*pairs))
            extent = int(values[-1]) - int(values[0]) + 1
            close = extent <= max(_CLOSE * len(values), _FEW)
            if close:
                places, given = values - values[0], numbers
                numbers = np.full(extent, _NONE, np.int64)
                numbers[places] = given
            self._table = values, numbers, close
        return self._table

    def _find(self, tokens: Any) -> Any:
        values, numbers, close = self._numbers()
        xp: Any = np if isinstance(tokens, np.ndarray) else jnp
        if xp is jnp:
            values, numbers = self._narrow(values), numbers.astype(np.int32)
        if close:
            low, high = values[0], values[-1]
            known = (tokens >= low) & (tokens <= high)
            found = xp.asarray(numbers)[xp.where(known, tokens, low) - low]
            known &= found != _NONE
        else:
            places = xp.clip(xp.searchsorted(values, tokens), 0, len(values) - 1)
            known = xp.asarray(values)[places] == tokens
            found = xp.asarray(numbers)[places]
        if self.num_oov_indices == 0 and xp is np and not known.all():
            raise self._unknown(tokens[~known][:5].tolist())
        return xp.where(known, found, self._spread(tokens, known, xp)).astype("int32")

    def _spread(self, tokens: Any, known: Any, xp: Any) -> Any:
        """Numbers of unknown values."""
        first = len(self._specials()) - self.num_oov_indices
        if self.num_oov_indices < 2:
            return first if self.num_oov_indices else UNKNOWN
        if self.oov_method == "floormod":
            return first + tokens % self.num_oov_indices
        spread = np.zeros(tokens.shape, np.int64)
        for place in zip(*np.nonzero(~known)):
            spread[place] = hash_text(str(tokens[place]), self.salt) % self.num_oov_indices
        return first + spread

    def _narrow(self, values: np.ndarray) -> np.ndarray:
        if values.size and (values.max() > 2**31 - 1 or values.min() < -(2**31)):
            raise ValueError(
                f"IntegerLookup layer {self.path!r}: its vocabulary has values beyond 32 bits, "
                "which a compiled program does not hold. Apply the layer to the data before the "
                "model."
            )
        return values.astype(np.int32)

    def _take(self, indices: Any) -> Any:
        values = np.array([*self.get_vocabulary(), self.oov_token], np.int64)
        xp: Any = np if isinstance(indices, np.ndarray) else jnp
        table = xp.asarray(values if xp is np else self._narrow(values))
        last = len(values) - 1
        return table[xp.where((indices < 0) | (indices >= last), last, indices)]

    def _given(self) -> tuple[Any, Any]:
        """What was learnt counts as given: programs hold it, so their description must too."""
        given, weights = super()._given()
        if given is None and self._tokens:
            given = list(self._tokens)
            weights = None if self._idf is None else self._idf[self.num_oov_indices :].tolist()
        return given, weights

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer, a learnt vocabulary included."""
        return {**super().get_config(), "vocabulary_dtype": self.vocabulary_dtype}
