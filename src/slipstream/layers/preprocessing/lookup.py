"""What `StringLookup` and `IntegerLookup` have in common: a vocabulary, learnt or given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.layers.preprocessing import vocabulary as files
from slipstream.layers.preprocessing.encoding import MODES, encode, encoded_shape
from slipstream.layers.preprocessing.hashing import check_salt
from slipstream.layers.preprocessing.host import HostLayer, batches_of, no_sparse, one_of

UNKNOWN = -2  # number of unknown tokens where they are to have none


class Lookup(HostLayer):
    """Tokens as their numbers in a vocabulary, or with `invert` the other way round.

    Numbers begin with the mask (in mode ``"int"``, if there is one), then come the
    ``num_oov_indices`` numbers of unknown tokens, then the vocabulary.
    """

    # Plain data, and much of it: nothing to search for variables.
    _untracked = frozenset(
        {"_tokens", "_table", "_tally", "_idf", "input_vocabulary", "input_idf_weights"}
    )

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        oov_method: str,
        salt: Any,
        **kwargs: Any,
    ) -> None:
        self._saved_size: int | None = kwargs.pop("vocabulary_size", None)  # of a saved vocabulary
        super().__init__(**kwargs)
        no_sparse(self, sparse)
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.output_mode = one_of(self, "output_mode", output_mode, MODES)
        self.pad_to_max_tokens = pad_to_max_tokens
        self.oov_method = one_of(self, "oov_method", oov_method, ("floormod", "farmhash"))
        self.salt = check_salt(self, salt)
        self.input_vocabulary = vocabulary
        self.input_idf_weights = idf_weights
        self._check_arguments()
        self._tokens: list[Any] = []
        self._idf: np.ndarray | None = None  # of each number, unknown ones first
        self._table: Any = None
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _check_arguments(self) -> None:
        problem = None
        if self.max_tokens is not None and self.max_tokens <= 1:
            problem = f"max_tokens must be greater than 1; got {self.max_tokens}"
        elif self.pad_to_max_tokens and self.max_tokens is None:
            problem = "pad_to_max_tokens=True needs max_tokens"
        elif self.num_oov_indices < 0:
            problem = f"num_oov_indices must be at least 0; got {self.num_oov_indices}"
        elif self.invert and self.output_mode != "int":
            problem = f"invert=True needs output_mode='int'; got {self.output_mode!r}"
        elif self.input_idf_weights is not None and self.output_mode != "tf_idf":
            problem = f"idf_weights need output_mode='tf_idf'; got {self.output_mode!r}"
        elif (
            self.output_mode == "tf_idf"
            and self.input_vocabulary is not None
            and self.input_idf_weights is None
        ):
            problem = "a vocabulary for output_mode='tf_idf' needs idf_weights"
        if problem:
            raise ValueError(f"{type(self).__name__} layer {self.name!r}: {problem}.")

    # ---- the vocabulary ----------------------------------------------------------------------

    def _specials(self) -> list[Any]:
        mask = (
            [self.mask_token] if self.mask_token is not None and self.output_mode == "int" else []
        )
        return mask + [self.oov_token] * self.num_oov_indices

    @property
    def _mask_number(self) -> int:
        """What the mask is looked up as; encoded, it counts for nothing."""
        return 0 if self.output_mode == "int" else -1

    def _parse(self, tokens: Any) -> list[Any]:
        """Tokens as plain Python values of the layer's kind."""
        raise NotImplementedError

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """All tokens in the order of their numbers, mask and unknown first if included."""
        return (self._specials() if include_special_tokens else []) + self._tokens

    def vocabulary_size(self) -> int:
        """Number of tokens, mask and unknown included."""
        return len(self._specials()) + len(self._tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a given vocabulary.

        Args:
            vocabulary: tokens in order (mask and unknown tokens at the start may be there or not),
                or the path of a text file with one a line.
            idf_weights: weight of each token, for ``"tf_idf"``.

        Raises:
            ValueError: if it is empty, too long, has a token twice or the mask in its midst, or
                the weights do not fit.
        """
        if isinstance(vocabulary, (str, os.PathLike)):
            vocabulary = files.read(vocabulary, self)
        tokens = self._parse(vocabulary)
        specials = self._specials()
        begin = len(specials) if specials and tokens[: len(specials)] == specials else 0
        if not begin and tokens[:1] == [self.oov_token] and specials[:1] == [self.mask_token]:
            begin = 1  # saved by a mode without a mask
        plain = tokens[begin:]
        name = f"{type(self).__name__} layer {self.name!r}"
        if not tokens:
            raise ValueError(f"{name}: the vocabulary is empty. Give at least one token.")
        if len(set(plain)) != len(plain):
            raise ValueError(
                f"{name}: the vocabulary has tokens more than once, for example "
                f"{files.first_repeated(plain)}. Leave the repeats out."
            )
        if self.mask_token is not None and self.mask_token in plain:
            raise ValueError(
                f"{name}: the vocabulary has the mask token {self.mask_token!r} at position "
                f"{tokens.index(self.mask_token, begin)}. Leave special tokens out, or begin with "
                f"all of them: {specials}."
            )
        if self.max_tokens is not None and len(specials) + len(plain) > self.max_tokens:
            raise ValueError(
                f"{name}: the vocabulary has {len(specials) + len(plain)} tokens, special ones "
                f"included; max_tokens is {self.max_tokens}."
            )
        weights = None
        if self.output_mode == "tf_idf":
            weights = None if idf_weights is None else np.asarray(idf_weights, np.float32)
            if weights is None or len(weights) != len(tokens):
                raise ValueError(
                    f"{name}: idf_weights must have one weight for each of the {len(tokens)} "
                    f"tokens; got {None if weights is None else len(weights)}."
                )
            weights = weights[begin:]
        self._set(plain, weights)

    def _set(self, tokens: list[Any], idf: np.ndarray | None) -> None:
        self._tokens, self._table = tokens, None
        if idf is not None:
            unknown = np.full(self.num_oov_indices, idf.mean() if len(idf) else 0, np.float32)
            self._idf = np.concatenate([unknown, idf])

    # ---- learning it -------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary from data: an array, or an iterable of batches.

        The most frequent tokens come first; with `max_tokens` the rest is unknown.

        Raises:
            ValueError: if the vocabulary was given to the constructor.
        """
        if self.input_vocabulary is not None:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r} was given a vocabulary, so there is "
                "nothing for adapt() to learn. Leave it out."
            )
        self.reset_state()
        for step, batch in enumerate(batches_of(data)):
            if step == steps:
                break
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget what `adapt` has seen and learnt."""
        if self.input_vocabulary is None:
            self._tally = files.Tally(self.output_mode == "tf_idf")
            self._set([], None)
            self._idf = None

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch."""
        tokens = np.atleast_1d(self._read(data))
        rows = tokens if tokens.ndim > 1 else tokens[:, None]
        self._tally.add(rows.reshape(-1, rows.shape[-1]).tolist())

    def finalize_state(self) -> None:
        """Take the vocabulary from what was seen since `reset_state`."""
        specials = self._specials()
        tokens = self._tally.ranked({self.mask_token, self.oov_token})
        if self.max_tokens is not None:
            tokens = tokens[: self.max_tokens - len(specials)]
        by_document = self.output_mode == "tf_idf"
        self._set(tokens, self._tally.inverse_frequencies(tokens) if by_document else None)

    # ---- looking up --------------------------------------------------------------------------

    def _read(self, inputs: Any) -> np.ndarray:
        """Inputs as an array of tokens."""
        raise NotImplementedError

    def _find(self, tokens: np.ndarray) -> Any:
        """Numbers of an array of tokens, int32."""
        raise NotImplementedError

    def _take(self, indices: np.ndarray) -> Any:
        """Tokens of an array of numbers."""
        raise NotImplementedError

    @property
    def output_dtype(self) -> str:
        """``"int32"``; ``"tf_idf"`` gives floats."""
        return self.compute_dtype if self.output_mode == "tf_idf" else "int32"

    @property
    def _depth(self) -> int:
        """Size of encoded outputs."""
        if self.pad_to_max_tokens:
            return int(self.max_tokens or 0)
        if not self._tokens and self._saved_size:  # the file's tokens are read after building
            return self._saved_size
        return self.vocabulary_size()

    def call(self, inputs: Any) -> Any:
        """Look tokens up, or numbers with `invert`."""
        self._check_ready()
        if self.invert:
            return self._take(np.asarray(inputs))
        return self._encode(self._find(self._read(inputs)))

    def _check_ready(self) -> None:
        if not self._tokens:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} has no vocabulary yet. Call "
                "adapt(data) or set_vocabulary(tokens) first."
            )

    def _encode(self, indices: Any) -> Any:
        idf = self._idf
        if idf is not None:
            idf = np.pad(idf, (0, self._depth - len(idf)))
        return encode(indices, self._depth, self.output_mode, self.output_dtype, idf=idf)

    def _unknown(self, tokens: list[Any]) -> ValueError:
        return ValueError(
            f"{type(self).__name__} layer {self.path!r} has no number for unknown tokens "
            f"(num_oov_indices=0), and the input has {tokens[:5]}. Set num_oov_indices=1, or add "
            "them to the vocabulary."
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape; encoded, as in `CategoryEncoding`."""
        return encoded_shape(input_shape, self._depth, self.output_mode)

    # ---- configuration and saving ------------------------------------------------------------

    def _given(self) -> tuple[Any, Any]:
        """Vocabulary and weights as the constructor takes them."""
        given = self.input_vocabulary
        if given is not None and not isinstance(given, (str, os.PathLike)):
            given = self._parse(given)
        weights = self.input_idf_weights
        return (
            os.fspath(given) if isinstance(given, os.PathLike) else given,
            None if weights is None else np.asarray(weights).tolist(),
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer; what was learnt is saved beside them."""
        given, weights = self._given()
        return {
            **super().get_config(),
            "invert": self.invert,
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "oov_token": self.oov_token,
            "mask_token": self.mask_token,
            "output_mode": self.output_mode,
            "sparse": False,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "idf_weights": weights,
            "vocabulary": given,
            "vocabulary_size": self.vocabulary_size() if self._tokens else None,
            "oov_method": self.oov_method,
            "salt": None if self.salt is None else list(self.salt),
        }

    def save_assets(self, directory: Any) -> None:
        """Keep a learnt vocabulary in a folder, as Keras does."""
        if self._given()[0] is None:
            files.write(Path(directory) / files.FILE, self.get_vocabulary())

    def load_assets(self, directory: Any) -> None:
        """Take the vocabulary that `save_assets` kept."""
        if self._given()[0] is None:
            tokens = self._parse((Path(directory) / files.FILE).read_text("utf-8").split("\n"))
            specials = self._specials()
            self._set(
                tokens[len(specials) :] if tokens[: len(specials)] == specials else tokens, None
            )

    def save_own_variables(self, store: Any) -> None:
        """Put learnt weights of ``"tf_idf"`` into a mapping of arrays."""
        if self._idf is not None and self._given()[1] is None:
            store["idf_weights"] = self._idf

    def load_own_variables(self, store: Any) -> None:
        """Take the weights that `save_own_variables` put there."""
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            self._idf = np.asarray(store["idf_weights"], np.float32)
