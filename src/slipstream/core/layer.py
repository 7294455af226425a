"""`Layer`: variables, and a function of them and of the input."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import masks, registry
from slipstream.core.input_spec import InputSpec
from slipstream.core.names import auto_name, snake_case
from slipstream.core.policy import DTypePolicy, get_policy
from slipstream.core.random import key_from
from slipstream.core.scope import Scope, current_scope
from slipstream.core.signature import accepted, arrays_of, as_shape, is_shape
from slipstream.core.symbol import Node, SymbolicTensor, infer, symbols_in
from slipstream.core.variable import Variable

F = TypeVar("F")

_UNTRACKED = frozenset({"_init_arguments", "_nodes"})

# Names of the layers being called or built now, outermost first: a variable's path.
_path: ContextVar[tuple[str, ...]] = ContextVar("slipstream_path", default=())


class Layer:
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
    _untracked: frozenset[str] = frozenset()
    _nodes: list[Node]
    input_spec: InputSpec | None = None
    supports_masking = False
    keeps_dtype = False  # whether whole numbers stay whole; else outputs have the compute type

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in vars(cls) and "per_example" not in vars(cls):
            cls.per_example = False
        if "compute_mask" in vars(cls) and "supports_masking" not in vars(cls):
            cls.supports_masking = True
        if "build" in vars(cls) and not hasattr(cls.build, "says_when_built"):
            cls.build = _building(cls.build)  # type: ignore[method-assign]

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
            path="/".join((*self._names(), name)),
        )
        variable.regularizer = registry.resolve("regularizer", regularizer)
        variable.constraint = registry.resolve("constraint", constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        return variable

    def _names(self) -> tuple[str, ...]:
        names = _path.get()
        return names if names and names[-1] == self.name else (*names, self.name)

    @contextmanager
    def _named(self) -> Iterator[None]:
        names = self._names()
        self._path = "/".join(names)
        token = _path.set(names)
        try:
            yield
        finally:
            _path.reset(token)

    @property
    def path(self) -> str:
        """Names of the enclosing layers and of this one, joined by slashes."""
        return self._path

    def _children(self) -> Iterator[Variable | Layer]:
        """Variables and layers held directly, in the order in which they were set."""
        for _, value in self.attributes():
            yield from held(value)

    def attributes(self) -> Iterator[tuple[str, Any]]:
        """The attributes in which variables, layers and metrics are looked for."""
        for name, value in vars(self).items():
            if name not in self._untracked and name not in _UNTRACKED:
                yield name, value

    @property
    def _layers(self) -> list[Layer]:
        return _unique(child for child in self._children() if isinstance(child, Layer))

    def _flatten_layers(self) -> list[Layer]:
        """This layer and all layers inside it, outermost first, each once."""
        found: dict[int, Layer] = {}

        def visit(layer: Layer) -> None:
            if id(layer) not in found:
                found[id(layer)] = layer
                for child in layer._layers:
                    visit(child)

        visit(self)
        return list(found.values())

    @property
    def variables(self) -> list[Variable]:
        """All variables, this layer's own before those of the layers inside it."""
        found = []
        for layer in self._flatten_layers():
            found += layer.own_variables(transient=True)
        return _unique(found)

    @property
    def weights(self) -> list[Variable]:
        """All variables, trainable or not, but for the states of stateful layers."""
        return [variable for variable in self.variables if not variable.transient]

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that optimizers update."""
        found = []
        for layer in self._flatten_layers():
            if layer._trainable:
                found += [
                    v
                    for v in layer._children()
                    if isinstance(v, Variable) and v.declared_trainable and v.trainable
                ]
        return _unique(found)

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that optimizers leave alone."""
        trained = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trained]

    trainable_weights = trainable_variables
    non_trainable_weights = non_trainable_variables

    @property
    def trainable(self) -> bool:
        """Whether optimizers update this layer; setting it reaches the layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)

    def get_weights(self) -> list[np.ndarray]:
        """Values of `weights` as NumPy arrays that are the caller's own."""
        return [np.array(variable.value) for variable in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set the values of `weights`, in the order of `get_weights`; all or none.

        Raises:
            ValueError: if the number or the shape of the arrays differs.
        """
        variables, arrays = self.weights, [np.asarray(value) for value in weights]
        if len(arrays) != len(variables):
            raise ValueError(
                f"Layer {self.path!r} has {len(variables)} weights; set_weights got "
                f"{len(arrays)} arrays."
                + ("" if self.built else " The layer is not built yet: call it on data first.")
            )
        for variable, value in zip(variables, arrays):
            if value.shape != variable.shape:
                raise ValueError(
                    f"Weight {variable.path!r} has shape {variable.shape}; set_weights got an "
                    f"array of shape {value.shape} for it."
                )
        for variable, value in zip(variables, arrays):
            variable.assign(value)

    def own_variables(self, transient: bool = False) -> list[Variable]:
        """The variables held directly, trainable ones first: the order in which they are saved."""
        own = [
            child
            for child in self._children()
            if isinstance(child, Variable) and (transient or not child.transient)
        ]
        return sorted(own, key=lambda variable: not variable.declared_trainable)

    def numbered_variables(self) -> list[Variable] | None:
        """What files hold of the layer itself, one entry each; None if it stores in its own way."""
        plain = type(self).save_own_variables is Layer.save_own_variables
        return self.own_variables() if plain else None

    def save_own_variables(self, store: Any) -> None:
        """Put the layer's own variables into a mapping of arrays. Subclasses may override it."""
        for index, variable in enumerate(self.own_variables()):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from such a mapping. Subclasses may override it.

        Raises:
            ValueError: if their number differs.
        """
        variables = self.own_variables()
        if len(store) != len(variables):
            raise ValueError(
                f"Layer {self.path!r} has {len(variables)} variables of its own, but the file "
                f"holds {len(store)}. Build it as it was when it was saved."
            )
        for index, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(index)]))

    def count_params(self) -> int:
        """Number of elements of all weights."""
        return sum(variable.size for variable in self.weights)

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
        specs = jax.tree.map(
            lambda shape: SymbolicTensor(shape, self.compute_dtype),
            (args, kwargs),
            is_leaf=is_shape,
        )
        kwargs = {name.removesuffix("_shape"): spec for name, spec in specs[1].items()}
        outputs = self.compute_output_spec(*specs[0], **kwargs)
        return jax.tree.map(lambda spec: spec.shape, outputs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs, building the layer if need be."""
        self._maybe_build(args, kwargs)
        known = self._known_output_shape(args, kwargs)
        if known is not None:
            given = jnp.dtype(jax.tree.leaves(args)[0].dtype)
            floats = jnp.issubdtype(given, jnp.floating) or not self.keeps_dtype
            dtype = self.compute_dtype if floats else given
            return jax.tree.map(lambda shape: SymbolicTensor(shape, dtype), known, is_leaf=is_shape)

        def run(*args: Any, **kwargs: Any) -> Any:
            scope = Scope(training=False, key=key_from(0), dry=True)
            with scope.active():
                return self._run(*jax.tree.map(self._to_array, (args, kwargs)))

        return infer(run, *args, **kwargs)

    def _known_output_shape(self, args: tuple, kwargs: dict) -> Any:
        """What the layer's own `compute_output_shape` says, or None if it has none."""
        compute = type(self).compute_output_shape
        if compute is Layer.compute_output_shape:
            return None
        shapes = self._shapes(args, kwargs)
        parameters = inspect.signature(compute).parameters
        wanted = list(parameters)[1:]
        if len(wanted) == 1:
            return self.compute_output_shape(next(iter(shapes.values())))
        named = {name: shapes[name] for name in wanted if name in shapes}
        needed = [name for name in wanted if parameters[name].default is inspect.Parameter.empty]
        return self.compute_output_shape(**named) if set(needed) <= set(named) else None

    def _shapes(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        """Shapes of the arguments that hold arrays, by name: ``{"query_shape": …}``."""
        return {
            f"{name}_shape": jax.tree.map(lambda leaf: tuple(leaf.shape), value)
            for name, value in arrays_of(type(self).call, args, kwargs).items()
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer on arrays, or on symbolic tensors to extend a graph."""
        with self._named():
            if symbols_in((args, kwargs)):
                self._check(args)
                outputs = self.compute_output_spec(*args, **kwargs)
                Node(self, args, kwargs, outputs)
                return outputs
            args = jax.tree.map(self._to_array, args)
            self._maybe_build(args, kwargs)
            self._check(args)
            return self._run(args, kwargs)

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
        others = self.non_trainable_variables
        outer = current_scope()
        scope = Scope(
            [*self.trainable_variables, *others],
            [*trainable_variables, *non_trainable_variables],
            key=None if outer is None else outer.key,
            ordinals=None if outer is None else outer.ordinals,
        )
        with scope.active():
            outputs = self(*args, **kwargs)
            losses = self.losses
        if outer is not None:
            outer.losses, outer.regularized = losses, True
            outer.draws = scope.draws
        new = scope.read(others)
        return (outputs, new, losses) if return_losses else (outputs, new)

    def _run(self, args: tuple, kwargs: dict) -> Any:
        """`call` with mode, mask and precision in place."""
        accepts = accepted(type(self).call)
        scope = current_scope()
        own = scope is None
        if scope is None:
            self._losses = []
            scope = Scope()
        outer = (scope.training, scope.autocast)
        training = (
            kwargs.pop("training", None) if "training" not in accepts else (kwargs.get("training"))
        )
        if training is None:
            training = scope.training
        scope.training = training
        if "training" in accepts:
            kwargs = {**kwargs, "training": bool(training)}
        kwargs = masks.fill_in(type(self).call, args, kwargs)
        scope.autocast = self.compute_dtype if self.autocast else None
        try:
            with scope.active() if own else nullcontext():
                outputs = self.call(*args, **kwargs)
                if self.activity_regularizer is not None:
                    for output in jax.tree.leaves(outputs):
                        self.add_loss(self.activity_regularizer(output) / max(output.shape[0], 1))
            if own:
                self._losses = scope.losses
        except Exception as error:
            self._locate(error, args)
            raise
        finally:
            scope.training, scope.autocast = outer
        self._pass_mask(args, outputs)
        return outputs

    def _pass_mask(self, args: tuple, outputs: Any) -> None:
        masks.pass_on(self, args, outputs)

    def _locate(self, error: Exception, args: tuple) -> None:
        """Say in the innermost layer where an error arose."""
        if not any(note.startswith("In layer ") for note in getattr(error, "__notes__", ())):
            shapes = [getattr(leaf, "shape", leaf) for leaf in jax.tree.leaves(args)]
            error.add_note(
                f"In layer {self.path!r} ({type(self).__name__}), called with "
                + (f"shapes {shapes}." if len(shapes) != 1 else f"shape {shapes[0]}.")
            )

    def _to_array(self, value: Any) -> Any:
        """Arrays as the layer computes on them; floats in its compute type."""
        if isinstance(value, Variable):
            value = value.value
        # Python's own True and False are options, not data.
        if isinstance(value, bool) or not isinstance(
            value, (np.ndarray, jax.Array, np.generic, int, float)
        ):
            return value
        array = jnp.asarray(value)
        if self.autocast and jnp.issubdtype(array.dtype, jnp.floating):
            array = array.astype(self.compute_dtype)
        return array

    def _check(self, args: tuple) -> None:
        if self.input_spec is not None and args:
            for leaf in jax.tree.leaves(args[0]):
                self.input_spec.check(self, leaf)

    def _maybe_build(self, args: tuple, kwargs: dict) -> None:
        if self.built:
            return
        shapes = self._shapes(args, kwargs)
        parameters = accepted(type(self).build)
        if len(parameters) <= 1:
            named = dict(zip(parameters, shapes.values()))
        else:
            named = {name: shapes[name] for name in parameters if name in shapes}
        with self._named():
            self.build(**named)

    # ---- configuration -----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, weights apart.

        A subclass with arguments of its own extends this dictionary; where it does not, the
        arguments it was called with are used, so they must be serializable.
        """
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = registry.serialize(self.activity_regularizer)
        own = type(self).__init__
        if own is not Layer.__init__ and type(self).get_config is Layer.get_config:
            args, kwargs = self._init_arguments  # type: ignore[attr-defined]
            bound = inspect.signature(own).bind_partial(self, *args, **kwargs).arguments
            for name, value in list(bound.items())[1:]:
                config.update(value if name == "kwargs" else {name: value})
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that `get_config` described."""
        config = dict(config)
        if config.pop("quantization_config", None) is not None:
            raise ValueError(
                f"Layer {config.get('name')!r} was saved quantized, which is not supported. Save "
                "the model before quantizing it."
            )
        return cls(**config)

    def get_build_config(self) -> dict[str, Any] | None:
        """Shapes the layer was built for, or None if it has nothing to build."""
        if not self._build_shapes or type(self).build is Layer.build:
            return None
        shapes = dict(self._build_shapes)
        if len(accepted(type(self).build)) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build for the shapes that `get_build_config` gave."""
        if not self.built:
            config = {key: value for key, value in config.items() if value is not None}
            if not config:
                return
            shapes = jax.tree.map(tuple, config.get("shapes_dict", config), is_leaf=is_shape)
            if set(shapes) == {"input_shape"}:  # as Keras calls the first argument of any build
                shapes = {accepted(type(self).build)[0]: shapes["input_shape"]}
            self.build(**shapes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _building(build: Any) -> Any:
    """A layer's `build` that also remembers that, and for which shapes, it was built."""

    @wraps(build)
    def building(self: Layer, *args: Any, **kwargs: Any) -> None:
        with self._named():
            build(self, *args, **kwargs)
        bound = inspect.signature(build).bind(self, *args, **kwargs).arguments
        self._build_shapes = dict(list(bound.items())[1:])
        self.built = True

    return building


def says_when_built(build: F) -> F:
    """Mark a `build` that sets `built` by itself."""
    build.says_when_built = True  # type: ignore[attr-defined]
    return build


def held(value: Any) -> Iterator[Variable | Layer]:
    """Variables and layers in a value of an attribute: itself, or in lists and dictionaries."""
    if isinstance(value, (Variable, Layer)):
        yield value
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from held(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from held(item)


def _unique(items: Iterable[Any]) -> list[Any]:
    return list({id(item): item for item in items}.values())
