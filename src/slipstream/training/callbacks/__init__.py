"""Callbacks, a file each; `slipstream.callbacks` is their public face."""
