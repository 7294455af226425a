"""`Layer`: variables, and a function of them and of the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import masks, registry
from slipstream.core.input_spec import check_inputs
from slipstream.core.layer_building import inside, names_to, remembering
from slipstream.core.layer_call import run, run_stateless, to_array
from slipstream.core.layer_config import Configured
from slipstream.core.layer_shapes import (
    build_for,
    output_spec,
    told_output_shape,
    traced_output_shape,
)
from slipstream.core.names import auto_name, snake_case
from slipstream.core.policy import DTypePolicy, get_policy
from slipstream.core.rematerialization import rematerialized, scope_in_force
from slipstream.core.scope import current_scope
from slipstream.core.signature import as_shape
from slipstream.core.symbol import Node, symbols_in
from slipstream.core.variable import Variable


class Layer(Configured):
    """A part of a network: variables, and a function of them and of its input.

    Subclasses create variables in `build` (or `__init__`) with `add_weight` and compute in `call`.
    Variables and layers held in attributes, lists, tuples and dictionaries are found by
    themselves.

    Args:
        name: automatic if not given.
        trainable: whether optimizers update its variables.
        dtype: type name or `DTypePolicy`; the global policy if not given.
        activity_regularizer: penalty on the output, added to the loss.
        input_shape: shape of one input, without the batch axis, so that a `Sequential` can be
            built at once; `input_dim` is short for ``(input_dim,)``.
        batch_input_shape: the same with the batch axis.

    Attributes:
        per_example: True where each example's output depends on that example alone, also in
            training. A partial batch may then be filled up with rows that count for nothing.
            A subclass that overrides `call` starts from False and may say True itself.
    """

    per_example = False
    _nodes: list[Node]
    input_spec: Any = None  # an `InputSpec`, or one for each input
    supports_masking = False
    keeps_dtype = False  # whether whole numbers stay whole; else outputs have the compute type

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in vars(cls) and "per_example" not in vars(cls):
            cls.per_example = False
        if "compute_mask" in vars(cls) and "supports_masking" not in vars(cls):
            cls.supports_masking = True
        if "build" in vars(cls) and not hasattr(cls.build, "says_when_built"):
            cls.build = remembering(cls.build)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Layer:
        self = super().__new__(cls)
        object.__setattr__(self, "_init_arguments", (args, kwargs))
        object.__setattr__(self, "_nodes", [])
        return self

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        activity_regularizer: Any = None,
        input_shape: Any = None,
        input_dim: int | None = None,
        batch_input_shape: Any = None,
        autocast: bool = True,
    ) -> None:
        self.name = name or auto_name(snake_case(type(self).__name__))
        if "/" in self.name:
            raise ValueError(f"A layer's name must not contain '/'; got {self.name!r}.")
        self.dtype_policy: DTypePolicy = get_policy(dtype)
        self.activity_regularizer = registry.resolve("regularizer", activity_regularizer)
        self.autocast = autocast
        self.built = False
        self._trainable = bool(trainable)
        self._path = self.name
        self._build_shapes: Any = None
        self._losses: list[Any] = []
        self._remat = scope_in_force()
        if input_dim is not None:
            input_shape = (input_dim,)
        if input_shape is not None:
            batch_input_shape = (None, *as_shape(input_shape))
        self._input_shape_hint: tuple | None = (
            None if batch_input_shape is None else tuple(batch_input_shape)
        )

    # ---- what a layer is made of -------------------------------------------------------------

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Create a variable. Keep it in an attribute, so that it is found.

        Args:
            shape: fully known shape; ``()`` if not given.
            initializer: name, object or function; ``"glorot_uniform"`` for floats, zeros else.
            dtype: the layer's variable type unless given.
            trainable: whether optimizers update it.
            regularizer: penalty on its value, added to the loss.
            constraint: projection applied after each update.
            name: short name such as ``"kernel"``.

        Returns:
            The new `Variable`.
        """
        dtype = jnp.dtype(dtype or self.variable_dtype).name
        if initializer is None:
            initializer = "glorot_uniform" if "float" in dtype else "zeros"
        name = name or auto_name("variable")
        variable = Variable(
            registry.resolve("initializer", initializer),
            shape=() if shape is None else as_shape(shape),
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            aggregation=aggregation,
            name=name,
            path="/".join((*names_to(self.name), name)),
        )
        variable.regularizer = registry.resolve("regularizer", regularizer)
        variable.constraint = registry.resolve("constraint", constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Create a variable; `add_weight` under another name."""
        return self.add_weight(
            shape,
            initializer,
            dtype,
            trainable,
            autocast,
            regularizer,
            constraint,
            name=name,
        )

    @contextmanager
    def _named(self) -> Iterator[None]:
        names = names_to(self.name)
        self._path = "/".join(names)
        with inside(names):
            yield

    @property
    def path(self) -> str:
        """Names of the enclosing layers and of this one, joined by slashes."""
        return self._path

    # ---- types -------------------------------------------------------------------------------

    @property
    def dtype(self) -> str:
        """Type of the variables."""
        return self.dtype_policy.variable_dtype

    variable_dtype = dtype

    @property
    def compute_dtype(self) -> str:
        """Type in which the layer computes."""
        return self.dtype_policy.compute_dtype

    @property
    def input_dtype(self) -> str:
        """Type to which float inputs are turned: `compute_dtype`."""
        return self.compute_dtype

    # ---- losses ------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar (or several) to the loss of the current call."""
        scope = current_scope()
        into = self._losses if scope is None else scope.losses
        into.extend(loss if isinstance(loss, (list, tuple)) else [loss])

    def _regularization(self) -> list[Any]:
        return [
            variable.regularizer(variable.value)
            for variable in self.trainable_variables
            if variable.regularizer is not None
        ]

    @property
    def losses(self) -> list[Any]:
        """Penalties added by `add_loss` in the last call, then those on the weights."""
        scope = current_scope()
        if scope is not None:
            return list(scope.losses) + ([] if scope.regularized else self._regularization())
        return [
            loss for layer in self._flatten_layers() for loss in layer._losses
        ] + self._regularization()

    # ---- symbolic ends ------------------------------------------------------------------------

    @property
    def input(self) -> Any:
        """What the layer was first called on to extend a graph."""
        args = self._first_node("input").args
        return args[0] if len(args) == 1 else list(args)

    @property
    def output(self) -> Any:
        """What that call gave."""
        return self._first_node("output").outputs

    def _first_node(self, what: str) -> Node:
        if not self._nodes:
            raise AttributeError(
                f"Layer {self.name!r} has no attribute {what!r}: it was never called on a symbolic "
                "tensor, such as Input(shape=…)."
            )
        return self._nodes[0]

    # ---- building and calling ----------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the variables for inputs of this shape. Subclasses override it."""
        self._build_shapes = {"input_shape": input_shape}
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's function. Subclasses override it."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not define call().")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Mask of the output: passed on if the layer supports masks, else dropped."""
        return previous_mask if self.supports_masking else None

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shape of the output for inputs of the given shapes, batch axis included."""
        return traced_output_shape(self, args, kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs, building the layer if need be."""
        self._maybe_build(args, kwargs)
        return output_spec(self, args, kwargs)

    def _known_output_shape(self, args: tuple, kwargs: dict) -> Any:
        """What the layer's own `compute_output_shape` says, or None if it has none."""
        return told_output_shape(self, Layer.compute_output_shape, args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer on arrays, or on symbolic tensors to extend a graph."""
        with self._named():
            if symbols_in((args, kwargs)):
                self._check(args)
                return self.symbolic_call(*args, **kwargs)
            args = jax.tree.map(partial(to_array, self), args)
            self._maybe_build(args, kwargs)
            self._check(args)
            return run(self, args, kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Extend the graph of the symbolic tensors among the arguments."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def rematerialized_call(self, layer_call: Any, *args: Any, **kwargs: Any) -> Any:
        """`layer_call`, keeping less for its gradient if the layer was made in a `RematScope`.

        Args:
            layer_call: a function of the arguments.
            args, kwargs: the arguments that it will be called with.
        """
        remat, scope = self._remat, current_scope()
        if remat is None or scope is None:
            return layer_call
        if not remat.concerns(self.name, scope, partial(layer_call, *args, **kwargs)):
            return layer_call
        return lambda *args, **kwargs: rematerialized(layer_call, remat.mode, scope, args, kwargs)

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Call the layer as a pure function of the values of its variables.

        Args:
            trainable_variables: values of `trainable_variables`, in order.
            non_trainable_variables: values of `non_trainable_variables`, in order.
            return_losses: whether to give the losses of the call too.

        Returns:
            The outputs and the new values of the non-trainable variables, then the losses.
        """
        outputs, new, losses = run_stateless(
            self, trainable_variables, non_trainable_variables, args, kwargs
        )
        return (outputs, new, losses) if return_losses else (outputs, new)

    def _pass_mask(self, args: tuple, outputs: Any) -> None:
        masks.pass_on(self, args, outputs)

    def _check(self, args: tuple) -> None:
        if self.input_spec is not None and args:
            check_inputs(self, self.input_spec, args[0])

    def _maybe_build(self, args: tuple, kwargs: dict) -> None:
        if not self.built:
            build_for(self, args, kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"
