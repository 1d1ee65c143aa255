"""OpenGL, and nothing else: every GL call of the program is in this package."""
