#version 330 core
// Copies an eye's target, enlarged or reduced.
// In:  eye, sRGB-encoded. Out: sRGB-encoded colour, opaque.
#include "sampling.glsl"
in vec2 target_place;
uniform sampler2D eye;
out vec4 colour;

void main() {
    colour = vec4(sample_picture(eye, target_place, dFdx(target_place), dFdy(target_place)).rgb, 1.0);
}
