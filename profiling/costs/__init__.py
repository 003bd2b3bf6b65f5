"""What the system costs in a month: prices, what was measured, what is assumed, and the sums."""
