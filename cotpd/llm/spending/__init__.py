"""The cost of asking: prices, and the limits of a step."""
