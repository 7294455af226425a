"""Models, under Keras' names."""

from slipstream.models.clone import clone_model
from slipstream.models.functional import Functional
from slipstream.models.model import Model, model_from_json
from slipstream.models.saving import load_model, save_model
from slipstream.models.sequential import Sequential

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
