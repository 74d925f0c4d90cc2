"""What asking may cost: prices, and the limits of a step."""
