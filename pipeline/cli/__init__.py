"""The command line: one module per command; options, mistakes and progress they share."""
