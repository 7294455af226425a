"""Models, under Keras' names."""

from slipstream.models.causal_lm import CausalLM
from slipstream.models.clone import clone_model
from slipstream.models.feature_space import FeatureSpace
from slipstream.models.functional import Functional
from slipstream.models.generation import generate
from slipstream.models.model import Model, model_from_json
from slipstream.models.saving import load_model, save_model
from slipstream.models.sequential import Sequential

__all__ = [
    "CausalLM",
    "FeatureSpace",
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "generate",
    "load_model",
    "model_from_json",
    "save_model",
]
