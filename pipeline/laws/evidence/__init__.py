"""Evidence: what the rows say for each factor and for the law, in numbers."""
