"""The `teacher` family: linear teachers over token features, and the angles between them."""
