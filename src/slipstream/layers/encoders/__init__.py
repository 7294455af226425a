"""Networks that make one vector of a picture, a text, a sound or a row of a table."""

from slipstream.layers.encoders.audio import AudioCNN
from slipstream.layers.encoders.image import ImageResNet, ImageViT
from slipstream.layers.encoders.table import TableMLP
from slipstream.layers.encoders.text import TextLSTM, TextTransformer

__all__ = ["AudioCNN", "ImageResNet", "ImageViT", "TableMLP", "TextLSTM", "TextTransformer"]
