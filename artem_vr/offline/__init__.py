"""Painting without a window: files in, painted files out."""
