"""What a home does with its meter: readings from arguments and files, reports, and what they will settle."""
