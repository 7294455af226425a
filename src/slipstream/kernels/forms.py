"""Operations with several forms: the reference in plain JAX, one for the CPU, some for a GPU.

Each is a JAX primitive, and which form it takes is decided where the program is lowered. Shapes,
batching and other platforms follow from the reference, which is the definition of correct.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from slipstream.core import cost
from slipstream.kernels import native, race

Form = Callable[..., Any]


class OnGpu(NamedTuple):
    """Forms of a GPU, as `differentiable` takes those of the CPU, or of one operation alone."""

    value: Form
    gradient: Form | None
    supports: Callable[..., bool]


def operation(
    name: str,
    reference: Form,
    compiled: Form,
    supports: Callable[..., bool],
    multiple: bool = False,
    flops: Callable[..., float] | None = None,
    shapes: Callable[..., Any] | None = None,
    known: Form | None = None,
    quick: bool = False,
    contested: Callable[..., bool] | None = None,
    on_gpu: OnGpu | None = None,
) -> Primitive:
    """A primitive that runs `compiled` on a CPU where it can, and `reference` elsewhere.

    Args:
        name: the primitive's name.
        reference: ``(*arrays, **parameters)`` to an array, or to a tuple if `multiple`.
        compiled: the same function; parameters are hashable.
        supports: told arrays' shapes and dtypes and the parameters, whether `compiled` can.
        multiple: whether there are several results.
        flops: like `supports`; the operations that it takes. None counts the reference's.
        shapes: like `supports`; the results' shapes and dtypes. None asks the reference.
        known: a part of the reference that the program has computed before, which does not count.
        quick: whether its results are sooner computed again than kept, where memory is short.
        contested: like `supports`; whether both forms can, and a race may overrule `supports`.
        on_gpu: what runs on an NVIDIA GPU where it can.
    """
    primitive = Primitive(name)
    primitive.multiple_results = multiple

    def results(*arrays: Any, **parameters: Any) -> Any:
        if shapes is not None:
            found = shapes(*arrays, **parameters)
        else:
            found = jax.eval_shape(partial(reference, **parameters), *arrays)
        made = [jax.core.ShapedArray(each.shape, each.dtype) for each in jax.tree.leaves(found)]
        return made if multiple else made[0]

    results = _once_a_shape(results)

    def batched(arrays: Any, axes: Any, **parameters: Any) -> Any:
        mapped = jax.vmap(partial(reference, **parameters), in_axes=tuple(axes))
        found = mapped(*arrays)
        return found, (0,) * len(found) if multiple else 0

    def differentiated(primals: Any, tangents: Any, **parameters: Any) -> Any:
        return jax.jvp(
            partial(reference, **parameters), primals, tuple(map(_instantiated, primals, tangents))
        )

    @cache
    def eager(parameters: Any) -> Any:
        return jax.jit(partial(primitive.bind, **dict(parameters)))

    lower_reference = mlir.lower_fun(reference, multiple_results=multiple)
    lower_compiled = mlir.lower_fun(compiled, multiple_results=multiple)

    def lower_on_cpu(context: Any, *arrays: Any, **parameters: Any) -> Any:
        if _for_export(context):
            return lower_reference(context, *arrays, **parameters)
        given = context.avals_in
        fits = native.library() is not None and supports(*given, **parameters)
        if contested is not None and native.library() and contested(*given, **parameters):
            fits = race.compiled_wins(name, given, parameters, reference, compiled, rule=fits)
        return (lower_compiled if fits else lower_reference)(context, *arrays, **parameters)

    def cost_of(*arrays: Any, fits: bool, loops: bool, **parameters: Any) -> cost.Cost:
        if fits and flops is not None:
            return cost.Cost(flops(*arrays, **parameters), 0)
        found = cost.count(jax.make_jaxpr(partial(reference, **parameters))(*arrays), loops)
        if known is not None:
            before = jax.make_jaxpr(partial(known, **parameters))(*arrays)
            if fits or not cost.has_loops(before):  # the compiler does not join equal loops
                again = cost.count(before, loops)
                found = found._replace(flops=found.flops - again.flops, low=found.low - again.low)
        return found._replace(convolutions=0) if fits else found

    cost_of = _once_a_shape(cost_of)

    def counted(equation: Any) -> cost.Cost:
        arrays, parameters = [each.aval for each in equation.invars], equation.params
        fits = supports(*arrays, **parameters) and native.library() is not None
        return cost_of(*arrays, fits=fits, loops=cost.loops(), **parameters)

    primitive.def_abstract_eval(results)
    primitive.def_impl(lambda *arrays, **kept: eager(tuple(sorted(kept.items())))(*arrays))
    batching.primitive_batchers[primitive] = batched
    ad.primitive_jvps[primitive] = differentiated
    mlir.register_lowering(primitive, lower_reference)
    mlir.register_lowering(primitive, lower_on_cpu, platform="cpu")
    if on_gpu is not None:
        lower_form = mlir.lower_fun(on_gpu.value, multiple_results=multiple)

        def lower_on_gpu(context: Any, *arrays: Any, **parameters: Any) -> Any:
            fits = not _for_export(context) and on_gpu.supports(*context.avals_in, **parameters)
            return (lower_form if fits else lower_reference)(context, *arrays, **parameters)

        mlir.register_lowering(primitive, lower_on_gpu, platform="cuda")
    cost.RULES[name] = counted
    if quick:
        cost.QUICK.add(name)
    return primitive


def differentiable(
    name: str,
    reference: Form,
    compiled: Form,
    compiled_gradient: Form,
    supports: Callable[..., bool],
    inputs: int,
    flops: Callable[..., float] | None = None,
    gradient_flops: Callable[..., float] | None = None,
    quick: bool = False,
    sparing: bool = False,
    on_gpu: OnGpu | None = None,
) -> Callable[..., tuple[Any, ...]]:
    """A function with compiled forms of its value and of its gradient.

    Forward mode and second derivatives follow from the reference.

    Args:
        name: the primitives' name.
        reference: ``(*arrays, **parameters)`` to ``(outputs, saved)``, two tuples of arrays;
            `saved` is what the gradient wants to know again, and may be empty.
        compiled: ``(*arrays, save, **parameters)`` to the outputs, and what is saved if `save`,
            in one tuple.
        compiled_gradient: ``(arrays, saved, cotangents, **parameters)`` to the cotangents of the
            first `inputs` arrays.
        supports: told the arrays' shapes and dtypes and the parameters, whether these can.
        inputs: how many arrays, from the first on, have a gradient.
        flops, gradient_flops: like `supports`; None counts the reference's.
        quick: whether its outputs are sooner computed again than kept, where memory is short.
        sparing: whether `compiled_gradient` and `gradient_flops` take ``places=``, the arrays
            whose cotangents are wanted, and give or count no others.
        on_gpu: forms like `compiled` and `compiled_gradient`, for an NVIDIA GPU.

    Returns:
        ``(*arrays, **parameters)`` to the outputs.
    """

    def outputs(*arrays: Any, **parameters: Any) -> tuple[Any, ...]:
        return tuple(reference(*arrays, **parameters)[0])

    output_count = _once_a_shape(
        lambda *arrays, **parameters: len(jax.eval_shape(partial(outputs, **parameters), *arrays))
    )

    def value_reference(*arrays: Any, save: bool, **parameters: Any) -> tuple[Any, ...]:
        found, saved = reference(*arrays, **parameters)
        return (*found, *saved) if save else tuple(found)

    def value_supports(*arrays: Any, save: bool, **parameters: Any) -> bool:
        return supports(*arrays, **parameters)

    def of_places(places: tuple[int, ...], arrays: Any, parameters: Any) -> tuple[Form, tuple]:
        """The outputs as a function of the arrays at these places, and those arrays."""

        def function(*some: Any) -> Any:
            given = list(arrays)
            for place, array in zip(places, some):
                given[place] = array
            return outputs(*given, **parameters)

        return function, tuple(arrays[place] for place in places)

    def gradient_reference(
        *given: Any, count: int, saved: int, places: tuple[int, ...], **parameters: Any
    ) -> Any:
        arrays, cotangents = given[:count], given[count + saved :]
        function, some = of_places(places, arrays, parameters)
        return jax.vjp(function, *some)[1](tuple(cotangents))

    def gradient_known(
        *given: Any, count: int, saved: int, places: tuple[int, ...], **parameters: Any
    ) -> Any:
        return outputs(*given[:count], **parameters)

    def gradient_cost(
        *given: Any, count: int, saved: int, places: tuple[int, ...], **parameters: Any
    ) -> float:
        assert gradient_flops is not None
        return gradient_flops(*given[:count], **parameters, **_if(sparing, places=places))

    def gradient_by(form: Form) -> Form:
        def gradient(
            *given: Any, count: int, saved: int, places: tuple[int, ...], **parameters: Any
        ) -> Any:
            end = count + saved
            found = form(
                given[:count],
                given[count:end],
                given[end:],
                **parameters,
                **_if(sparing, places=places),
            )
            return tuple(found) if sparing else tuple(tuple(found)[place] for place in places)

        return gradient

    def of_value(supports: Callable[..., bool]) -> Callable[..., bool]:
        """Whether the gradient's form can, by what says so of the value's arrays."""

        def gradient_supports(
            *given: Any, count: int, saved: int, places: tuple[int, ...], **parameters: Any
        ) -> bool:
            return supports(*given[:count], **parameters)

        return gradient_supports

    def gradient_shapes(
        *given: Any, count: int, saved: int, places: tuple[int, ...], **parameters: Any
    ) -> Any:
        return [given[place] for place in places]

    def tangent_reference(
        *given: Any, count: int, saved: int, places: tuple[int, ...], **parameters: Any
    ) -> Any:
        function, some = of_places(places, given[:count], parameters)
        return jax.jvp(function, some, given[count + saved :])[1]

    def never(*given: Any, **parameters: Any) -> bool:
        return False

    value = operation(
        name,
        value_reference,
        compiled,
        value_supports,
        True,
        _saving(flops),
        quick=quick,
        on_gpu=on_gpu,
    )
    gradient_on_gpu = None
    if on_gpu is not None and on_gpu.gradient is not None:
        form = gradient_by(on_gpu.gradient)
        gradient_on_gpu = OnGpu(form, None, of_value(on_gpu.supports))
    gradient = operation(
        f"{name}_gradient",
        gradient_reference,
        gradient_by(compiled_gradient),
        of_value(supports),
        True,
        flops=None if gradient_flops is None else gradient_cost,
        shapes=gradient_shapes,
        known=gradient_known,
        on_gpu=gradient_on_gpu,
    )
    # The derivative along a direction: linear in it, and its transpose is the gradient.
    tangent = operation(f"{name}_tangent", tangent_reference, tangent_reference, never, True)

    def value_jvp(primals: Any, tangents: Any, *, save: bool, **parameters: Any) -> Any:
        places = tuple(i for i in range(inputs) if not isinstance(tangents[i], ad.Zero))
        if not places:
            found = value.bind(*primals, save=save, **parameters)
            return found, [*map(no_tangent, found)]
        found = value.bind(*primals, save=True, **parameters)
        kept = output_count(*primals, **parameters)
        shown = found if save else found[:kept]
        derivatives = tangent.bind(
            *primals,
            *found[kept:],
            *(tangents[place] for place in places),
            count=len(primals),
            saved=len(found) - kept,
            places=places,
            **parameters,
        )
        return shown, [*derivatives, *map(no_tangent, shown[kept:])]

    def tangent_transpose(cotangents: Any, *given: Any, count: int, saved: int, **kept: Any) -> Any:
        known, directions = given[: count + saved], given[count + saved :]
        cotangents = map(ad.instantiate_zeros, cotangents)
        found = gradient.bind(*known, *cotangents, count=count, saved=saved, **kept)
        linear = map(ad.is_undefined_primal, directions)
        return [None] * len(known) + [
            g if is_linear else None for g, is_linear in zip(found, linear)
        ]

    ad.primitive_jvps[value] = value_jvp
    ad.primitive_transposes[tangent] = tangent_transpose
    return lambda *arrays, **parameters: tuple(value.bind(*arrays, save=False, **parameters))


def bilinear(primitive: Primitive, transpose_left: Form, transpose_right: Form) -> None:
    """Gradients of an operation that is linear in each of its two arrays.

    Args:
        transpose_left: ``(cotangent, left_shape, right, **parameters)`` to the left's cotangent.
        transpose_right: ``(cotangent, left, right_shape, **parameters)`` to the right's.
    """

    def left(cotangent: Any, unknown: Any, right: Any, **parameters: Any) -> Any:
        return transpose_left(cotangent, unknown.aval.shape, right, **parameters)

    def right(cotangent: Any, left: Any, unknown: Any, **parameters: Any) -> Any:
        return transpose_right(cotangent, left, unknown.aval.shape, **parameters)

    ad.defbilinear(primitive, left, right)


def floats(*arrays: Any) -> bool:
    """Whether all are of one float type that the compiled forms store."""
    types = {str(array.dtype) for array in arrays}
    return len(types) == 1 and types <= {"float32", "bfloat16"}


def _for_export(context: Any) -> bool:
    """Whether the program is for `jax.export`: it must run where this library is not."""
    return context.module_context.lowering_parameters.for_export


def _once_a_shape(function: Form) -> Form:
    """`function` of shapes and dtypes, remembered: a network has many layers of one shape."""
    known: dict[Any, Any] = {}

    def remembering(*arrays: Any, **parameters: Any) -> Any:
        shapes = tuple((array.shape, array.dtype) for array in arrays)
        key = (shapes, tuple(sorted(parameters.items())))
        if key not in known:
            known[key] = function(*_stand_ins(arrays), **parameters)
        return known[key]

    return remembering


def _stand_ins(arrays: Any) -> list[Any]:
    return [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays]


def _instantiated(primal: Any, tangent: Any) -> Any:
    """The tangent as an array: zeros where there is none."""
    if not isinstance(tangent, ad.Zero):
        return tangent
    if not jax.numpy.issubdtype(primal.dtype, jax.numpy.inexact):
        return np.zeros(primal.shape, jax.dtypes.float0)
    return jax.numpy.zeros(primal.shape, primal.dtype)


def no_tangent(primal: Any) -> Any:
    """The tangent of a constant. What is saved is one: no derivative's reference looks at it."""
    return ad.Zero(jax.typeof(primal).to_tangent_aval())


def _if(condition: bool, **arguments: Any) -> dict[str, Any]:
    return arguments if condition else {}


def _saving(flops: Callable[..., float] | None) -> Callable[..., float] | None:
    if flops is None:
        return None
    return lambda *arrays, save, **parameters: flops(*arrays, **parameters)
