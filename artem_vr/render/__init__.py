"""Everything that is drawn: every OpenGL call of the program is in this package.

Colours are sRGB-encoded bytes from the source to the display: textures and targets are plain
RGBA8, nothing is converted to linear light and back. Pictures lie top row first in their textures,
as networks give them; shaders/picture.vert turns them upright, the only place that does. Render
targets are OpenGL's own way round (bottom row first), which is upright for the headset too;
`target.read_back` gives them back top row first.
"""
