"""Operations on images, under Keras' names."""
# ruff: noqa: F401

from slipstream.ops.image_color import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from slipstream.ops.image_filters import gaussian_blur, sobel_edges, ssim
from slipstream.ops.image_resizing import (
    crop_images,
    extract_patches,
    extract_patches_3d,
    pad_images,
    resize,
    scale_and_translate,
)
from slipstream.ops.image_warping import (
    affine_transform,
    elastic_transform,
    map_coordinates,
    perspective_transform,
)
