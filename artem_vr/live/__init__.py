"""What only a running program has: the render loop, controls, the HUD's words, the recorder, the figures of a run."""
