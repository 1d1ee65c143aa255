#version 330 core
// Mixes the source, its painting and the painting of the style before.
// In:  source, painted, before: sRGB-encoded pictures, top row first; strength 0 (source) .. 1 (painting);
//      fade 0 (before) .. 1 (painted); brightness 0..1; background, sRGB-encoded;
//      edge 1: smooth the mesh's edges over one pixel, 0: leave them.
// Out: sRGB-encoded colour, opaque. Bytes are mixed as they are: what networks and painters see.
#include "sampling.glsl"
in vec2 picture_place;
uniform sampler2D source;
uniform sampler2D painted;
uniform sampler2D before;
uniform float strength;
uniform float fade;
uniform float brightness;
uniform float edge;
uniform vec3 background;
out vec4 colour;

void main() {
    vec2 across = dFdx(picture_place);
    vec2 down = dFdy(picture_place);
    vec3 result = vec3(0.0);
    if (strength < 1.0) {
        result = sample_picture(source, picture_place, across, down).rgb;
    }
    if (strength > 0.0) {
        vec3 painting = sample_picture(painted, picture_place, across, down).rgb;
        if (fade < 1.0) {
            painting = mix(sample_picture(before, picture_place, across, down).rgb, painting, fade);
        }
        result = mix(result, painting, strength);
    }
    result *= brightness;
    if (edge > 0.0) {
        vec2 pixel = max(vec2(length(vec2(across.x, down.x)), length(vec2(across.y, down.y))), vec2(1e-9));
        vec2 inside = min(picture_place, 1.0 - picture_place) / pixel; // pixels to the nearest edge
        result = mix(background, result, clamp(min(inside.x, inside.y), 0.0, 1.0));
    }
    colour = vec4(result, 1.0);
}
