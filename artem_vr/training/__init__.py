"""Training of style networks."""
