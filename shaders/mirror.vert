#version 330 core
// Places an eye's target in the mirror's viewport.
// In:  place, clip coordinates; corner, 0..1 over the target, (0, 0) its bottom left.
// Out: target_place, 0..1 over the target's texture, which is bottom row first: nothing is turned.
layout(location = 0) in vec3 place;
layout(location = 1) in vec2 corner;
out vec2 target_place;

void main() {
    target_place = corner;
    gl_Position = vec4(place, 1.0);
}
