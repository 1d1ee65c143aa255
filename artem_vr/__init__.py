"""Art'Em VR: the world as a painting, in stereo."""

__version__ = "0.1.0"
