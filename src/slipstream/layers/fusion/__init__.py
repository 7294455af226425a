"""Layers that make one of several modalities."""

from slipstream.layers.fusion.concatenation import ConcatFusion
from slipstream.layers.fusion.cross_attention import CrossAttentionFusion
from slipstream.layers.fusion.film import FiLM
from slipstream.layers.fusion.gated import GatedFusion
from slipstream.layers.fusion.joint_embedding import JointEmbedding
from slipstream.layers.fusion.late import LateFusion
from slipstream.layers.fusion.low_rank import LowRankFusion
from slipstream.layers.fusion.modality_dropout import ModalityDropout

__all__ = [
    "ConcatFusion",
    "CrossAttentionFusion",
    "FiLM",
    "GatedFusion",
    "JointEmbedding",
    "LateFusion",
    "LowRankFusion",
    "ModalityDropout",
]
