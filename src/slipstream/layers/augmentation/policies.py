"""`RandAugment` and `AugMix`: several augmentations in a random order."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.kernels.pointwise import per_pixel
from slipstream.kernels.sampling import INTERPOLATIONS
from slipstream.layers.augmentation.arguments import limits, one_of, value_limits
from slipstream.layers.augmentation.base import Augmentation
from slipstream.layers.augmentation.color import RandomColorDegeneration
from slipstream.layers.augmentation.filters import RandomSharpness
from slipstream.layers.augmentation.geometry import (
    RandomRotation,
    RandomShear,
    RandomTranslation,
)
from slipstream.layers.augmentation.histogram import AutoContrast, Equalization
from slipstream.layers.augmentation.light import (
    RandomBrightness,
    RandomContrast,
    RandomPosterization,
    Solarization,
)
from slipstream.layers.augmentation.mixing import even_beta


class _Policy(Augmentation):
    """A layer that applies others. Which ones is drawn once for a batch, how strongly for each
    example, so that only the chosen ones are computed."""

    _moves = True

    def __init__(
        self,
        value_range: Any,
        factor: Any,
        interpolation: str,
        all_of_them: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.value_range = value_limits(self, value_range)
        self.factor = limits(self, "factor", factor, 0, 1)
        self.interpolation = one_of(self, "interpolation", interpolation, INTERPOLATIONS)
        strength, ends = self.factor, {"value_range": self.value_range}
        reading = {"interpolation": self.interpolation}
        bits = tuple(max(1, int(8 * end)) for end in strength)
        kinds = [
            (RandomShear, {"x_factor": strength, "y_factor": strength, **reading}),
            (RandomTranslation, {"height_factor": strength, "width_factor": strength, **reading}),
            (RandomRotation, {"factor": strength, **reading}),
            (Solarization, {"addition_factor": strength, "threshold_factor": strength, **ends}),
            (RandomPosterization, {"factor": bits, **ends}),
            (AutoContrast, ends),
            (Equalization, ends),
        ]
        if all_of_them:
            kinds += [
                (kind, {"factor": strength, **ends})
                for kind in (
                    RandomBrightness, RandomColorDegeneration, RandomContrast, RandomSharpness,
                )
            ]  # fmt: skip
        self._choices = [
            kind(**arguments, bounding_box_format="xyxy", name=f"{self.name}_{place}")  # type: ignore[operator]
            for place, (kind, arguments) in enumerate(kinds)
        ]

    def _apply(self, place: Any, known: dict[str, Any], key: Any) -> dict[str, Any]:
        """One of the layers, by its place."""
        return jax.lax.switch(place, [choice._augment for choice in self._choices], known, key)

    def _places(self, key: Any, count: int) -> Any:
        return jax.random.randint(key, (count,), 0, len(self._choices))


@register("layer")
class RandAugment(_Policy):
    """Several augmentations one after the other (Cubuk et al., 2020).

    Each is drawn from shear, translation, rotation, solarization, posterization, contrast
    stretching, equalization, brightness, grey, contrast and sharpness; once for a batch.

    Args:
        value_range: least and greatest value of a pixel.
        num_ops: how many.
        factor: how strong, two ends or one number for 0 to it, up to 1.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1, a negative number or another value range.
        NotImplementedError: for another interpolation.
    """

    _arguments = ("value_range", "num_ops", "factor", "interpolation", "seed")

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            value_range, factor, interpolation, True, seed=seed, data_format=data_format, **kwargs
        )
        if not isinstance(num_ops, int) or num_ops < 0:
            raise self._fault("num_ops", "a whole number of at least 0", num_ops)
        self.num_ops = num_ops

    def _augment(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        def step(known: dict[str, Any], turn: tuple[Any, Any]) -> tuple[dict[str, Any], None]:
            number, place = turn
            return self._apply(place, known, jax.random.fold_in(key, number + 1)), None

        turns = (jnp.arange(self.num_ops), self._places(key, self.num_ops))
        return jax.lax.scan(step, known, turns)[0]


@register("layer")
class AugMix(_Policy):
    """Blend a picture with several chains of augmentations of it (Hendrycks et al., 2020).

    Chains are drawn from the layers of `RandAugment`, once for a batch. Boxes and masks stay as
    they are.

    Args:
        value_range: least and greatest value of a pixel.
        num_chains: how many chains.
        chain_depth: how many layers in each.
        factor: how strong, two ends or one number for 0 to it, up to 1.
        alpha: the chains' shares follow a Dirichlet distribution, the picture's own share a beta
            distribution, all parameters alpha.
        all_ops: whether to draw brightness, grey, contrast and sharpness too.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1, numbers below 1 or another value range.
        NotImplementedError: for another interpolation.
    """

    _arguments = (
        "value_range", "num_chains", "chain_depth", "factor", "alpha", "all_ops", "interpolation",
        "seed",
    )  # fmt: skip
    _moves = False

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            value_range,
            factor,
            interpolation,
            all_ops,
            seed=seed,
            data_format=data_format,
            **kwargs,
        )
        for argument, value in (("num_chains", num_chains), ("chain_depth", chain_depth)):
            if not isinstance(value, int) or value < 1:
                raise self._fault(argument, "a whole number of at least 1", value)
        if not isinstance(alpha, (int, float)) or alpha <= 0:
            raise self._fault("alpha", "a number above 0", alpha)
        self.num_chains, self.chain_depth = num_chains, chain_depth
        self.alpha, self.all_ops = alpha, all_ops

    def _shares(self, key: Any, batch: int) -> Any:
        """The chains' shares, ``(batch, chains)``."""
        shape = (batch, self.num_chains)
        if self.alpha == 1:
            numbers = -jnp.log(jax.random.uniform(key, shape, minval=1e-7))
            return numbers / jnp.sum(numbers, -1, keepdims=True)
        return jax.random.dirichlet(key, jnp.full((self.num_chains,), self.alpha), (batch,))

    def _images(self, images: Any, draw: Any) -> Any:
        key, shares, weight = draw
        chains, depth = self.num_chains, self.chain_depth

        def step(carried: tuple[Any, Any], turn: tuple[Any, ...]) -> tuple[tuple[Any, Any], None]:
            current, total = carried
            number, place = turn
            current = jnp.where(number % depth == 0, images, current)
            fresh = jax.random.fold_in(key, number + 1)
            current = self._apply(place, {"images": current}, fresh)["images"]
            share = jnp.where(number % depth == depth - 1, shares[:, number // depth], 0)
            return (current, total + per_pixel(share) * current), None

        turns = (jnp.arange(chains * depth), self._places(key, chains * depth))
        mixed = jax.lax.scan(step, (images, jnp.zeros_like(images)), turns)[0][1]
        weight = per_pixel(weight)
        return jnp.clip(weight * images + (1 - weight) * mixed, *self.value_range)

    def _draw(self, key: Any, shape: Any) -> Any:
        first, second, third = jax.random.split(key, 3)
        numbers = list(jax.random.uniform(second, (shape[0], 4)).T)
        return third, self._shares(first, shape[0]), even_beta(self.alpha, numbers)
