"""One side of ``slipstream race``: builds a model in one library and trains it when told to.

It runs as a program of its own, ``racer.py LIBRARY TARGET FOLDER``, and speaks JSON lines: it reads
orders from its input and answers on its output. Nothing of Slipstream is imported unless Slipstream
is the library, so neither side pays for the other.
"""

import importlib
import importlib.abc
import importlib.util
import json
import os
import runpy
import sys
import time
import types

import numpy as np

ROWS = 256  # compared before training


class Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives every import of Keras, by any of its names, to one library."""

    names = ("tensorflow.keras", "tf_keras", "keras")

    def __init__(self, library):
        self.library = library
        self.racing = False

    def find_spec(self, name, path=None, target=None):
        # Keras looks for a real TensorFlow itself; only the script is given a stand-in.
        stand_in = name == "tensorflow" and self.racing
        if stand_in or self._target(name) is not None:
            return importlib.util.spec_from_loader(name, self)
        return None

    def _target(self, name):
        for alias in self.names:
            if name == alias or name.startswith(alias + "."):
                if alias == self.library:
                    return None
                return self.library + name[len(alias) :]
        return None

    def create_module(self, spec):
        target = self._target(spec.name)
        if target is not None:
            return importlib.import_module(target)
        stub = types.ModuleType("tensorflow")
        vars(stub).update(keras=importlib.import_module(self.library), __path__=[])
        return stub

    def exec_module(self, module):
        pass


class Racer:
    """Holds the model and its data, and carries out orders."""

    def __init__(self, folder, answer):
        self.folder, self.answer = folder, answer
        self.dropped = []

    def race(self, model, x=None, y=None, **arguments):
        """Take the place of `model.fit`: wait for orders, then leave."""
        self.model, self.x, self.y = model, x, y
        self.dropped = sorted({"callbacks", "check"} & {k for k, v in arguments.items() if v})
        arguments.pop("check", None)  # of Slipstream alone
        sys.modules.pop("tensorflow", None)  # the script has it; Keras must not take it for real
        # What a race must hold equal, and what would only print.
        self.arguments = {**arguments, "callbacks": None, "shuffle": False, "verbose": 0}
        self.sample = first_rows(x, ROWS)
        if not model.built:
            model.predict(self.sample, verbose=0)
        self.answer(
            ready=True,
            parameters=int(sum(np.prod(w.shape) for w in model.weights)),
            random=draws(model),
            dropped=self.dropped,
        )
        for line in sys.stdin:
            order = json.loads(line)
            getattr(self, order.pop("do"))(**order)
        os._exit(0)

    def save(self, path):
        """Write the weights, so that the other side starts from them too."""
        np.savez(path, *self.model.get_weights())
        self.answer()

    def load(self, path):
        """Start from these weights; remember the optimizer's state at the start."""
        with np.load(path) as stored:
            self.weights = [stored[f"arr_{i}"] for i in range(len(stored.files))]
        mine = [tuple(w.shape) for w in self.model.get_weights()]
        theirs = [w.shape for w in self.weights]
        if mine != theirs:
            return self.answer(problem=f"weights differ in shape: {theirs} there, {mine} here")
        self.model.set_weights(self.weights)
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        self.state = [np.array(variable) for variable in optimizer.variables]
        return self.answer()

    def outputs(self, path):
        """Write the outputs for the first rows."""
        found = self.model.predict(self.sample, verbose=0)
        np.savez(path, *leaves(found))
        self.answer()

    def fit(self, path):
        """Train from the start; write the trained weights."""
        self.model.set_weights(self.weights)
        for variable, value in zip(self.model.optimizer.variables, self.state):
            variable.assign(value)
        begin = time.perf_counter()
        history = self.model.__class__.raced_fit(self.model, self.x, self.y, **self.arguments)
        seconds = time.perf_counter() - begin
        np.savez(path, *self.model.get_weights())
        losses = {name: [float(v) for v in values] for name, values in history.history.items()}
        self.answer(seconds=seconds, history=losses)

    def predict(self):
        """Time a pass of prediction over all data."""
        begin = time.perf_counter()
        self.model.predict(self.x, batch_size=self.arguments.get("batch_size"), verbose=0)
        self.answer(seconds=time.perf_counter() - begin)


def leaves(tree):
    """The arrays of a nested structure, dictionaries by sorted key."""
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in leaves(item)]
    return [np.asarray(tree)]


def first_rows(x, count):
    """The first rows of arrays in any structure, or the first batch of a dataset."""
    if isinstance(x, dict):
        return {key: first_rows(value, count) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(first_rows(value, count) for value in x)
    if hasattr(x, "shape"):
        return x[:count]
    batch = next(iter(x))
    return first_rows(batch[0] if isinstance(batch, (list, tuple)) else batch, count)


def draws(model):
    """Names of the layers that draw random numbers while training."""
    found = []
    for layer in model._flatten_layers():
        rates = ("rate", "dropout", "recurrent_dropout", "stddev", "_dropout")
        noisy = any(
            isinstance(getattr(layer, name, None), float) and getattr(layer, name) > 0
            for name in rates
        )
        if noisy or type(layer).__name__.startswith(("Random", "MixUp", "CutMix", "AugMix")):
            found.append(layer.name)
    return found


def made_up_data(model, rows, seed=0):
    """Random inputs and targets that fit a model and its loss."""
    numbers = np.random.default_rng(seed)
    tokens = [
        layer.input_dim for layer in model._flatten_layers() if type(layer).__name__ == "Embedding"
    ]

    def made(symbol):
        shape = (rows, *(16 if size is None else size for size in symbol.shape[1:]))
        if tokens or "int" in str(symbol.dtype):
            return numbers.integers(0, min(tokens, default=2), shape).astype("int32")
        return numbers.normal(size=shape).astype("float32")

    x = [made(symbol) for symbol in model.inputs]
    loss = str(getattr(model.loss, "name", model.loss)).lower()
    y = []
    for symbol in model.outputs:
        shape = (rows, *(16 if size is None else size for size in symbol.shape[1:]))
        if "sparse" in loss:
            y.append(numbers.integers(0, shape[-1], shape[:-1]).astype("int32"))
        elif "categorical" in loss:
            y.append(np.eye(shape[-1], dtype="f")[numbers.integers(0, shape[-1], shape[:-1])])
        elif "binary" in loss:
            y.append(numbers.integers(0, 2, shape).astype("float32"))
        else:
            y.append(numbers.normal(size=shape).astype("float32"))
    return (x if len(x) > 1 else x[0]), (y if len(y) > 1 else y[0])


def main(library, target, folder, options):
    """Run the script, or load the model, and race at its first `fit`."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the script prints is not an answer
    options = json.loads(options)

    def answer(**content):
        channel.write(json.dumps(content) + "\n")
        channel.flush()

    try:
        alias = Alias(library)
        sys.meta_path.insert(0, alias)
        keras = importlib.import_module(library)
        racer = Racer(folder, answer)
        keras.Model.raced_fit = keras.Model.fit
        if target.endswith(".keras"):
            model = importlib.import_module(library + ".models").load_model(target)
            if not model.compiled:
                model.compile("adam", "mse")
            x, y = made_up_data(model, options["rows"])
            racer.race(model, x, y, batch_size=options["batch_size"], epochs=options["epochs"] or 1)

        def fit(model, x=None, y=None, batch_size=None, epochs=1, *positional, **named):
            if positional:
                raise TypeError("race: pass arguments of fit after epochs by name")
            epochs = options["epochs"] or epochs
            racer.race(model, x, y, batch_size=batch_size, epochs=epochs, **named)

        keras.Model.fit = fit
        sys.argv = [target]
        sys.path.insert(0, os.path.dirname(os.path.abspath(target)))
        alias.racing = True
        runpy.run_path(target, run_name="__main__")
        answer(problem="the script ended without calling fit")
    except BaseException as error:
        import traceback

        traceback.print_exc()
        answer(problem=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
