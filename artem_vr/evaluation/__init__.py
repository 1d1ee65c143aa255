"""How good a painting is: measures and the report of them."""
