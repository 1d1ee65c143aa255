#version 330 core
// Lays the HUD's panel over what is drawn.
// In:  panel, sRGB-encoded with premultiplied alpha, top row first; opacity 0..1.
// Out: premultiplied colour, to be blended with (one, one minus alpha).
#include "sampling.glsl"
in vec2 picture_place;
uniform sampler2D panel;
uniform float opacity;
out vec4 colour;

void main() {
    colour = sample_picture(panel, picture_place, dFdx(picture_place), dFdy(picture_place)) * opacity;
}
