"""Models, under Keras' names."""

import slipstream.core  # noqa: F401 (first of all: it imports JAX without pauses)
from slipstream.models.causal_lm import CausalLM
from slipstream.models.clone import clone_model
from slipstream.models.cross_validation import cross_validate
from slipstream.models.ensemble import Ensemble, ensemble
from slipstream.models.feature_space import FeatureSpace
from slipstream.models.functional import Functional
from slipstream.models.generation import generate
from slipstream.models.model import Model, model_from_json
from slipstream.models.saving import load_model, save_model
from slipstream.models.sequential import Sequential
from slipstream.models.slim import slim

__all__ = [
    "CausalLM",
    "Ensemble",
    "FeatureSpace",
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "cross_validate",
    "ensemble",
    "generate",
    "load_model",
    "model_from_json",
    "save_model",
    "slim",
]
