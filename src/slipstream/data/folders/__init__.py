"""Folders of pictures, sounds and texts."""
