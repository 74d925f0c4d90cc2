"""Studies: reviewed files of cells that share trainings, and a verdict on their differences."""
