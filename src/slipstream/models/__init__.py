"""Models, under Keras' names."""

from slipstream.models.model import Model, model_from_json
from slipstream.models.saving import load_model, save_model
from slipstream.models.sequential import Sequential

__all__ = ["Model", "Sequential", "load_model", "model_from_json", "save_model"]
