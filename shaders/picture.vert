#version 330 core
// Places the mesh of a picture: the virtual screen, a whole target, the HUD's panel.
// In:  place, metres in the mesh's coordinates; corner, 0..1 over the picture, (0, 0) its bottom left;
//      transform, from the mesh's coordinates to clip coordinates.
// Out: picture_place, 0..1 over the texture.
layout(location = 0) in vec3 place;
layout(location = 1) in vec2 corner;
uniform mat4 transform;
out vec2 picture_place;

void main() {
    // Pictures lie top row first in their textures: this is the one place that turns them upright.
    picture_place = vec2(corner.x, 1.0 - corner.y);
    gl_Position = transform * vec4(place, 1.0);
}
