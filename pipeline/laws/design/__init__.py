"""Which trials to run next: what laws disagree about, and which trials would settle it."""
