"""Loading a student to predict with, on the fastest backend that may run it."""
