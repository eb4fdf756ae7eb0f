"""Advice: a user's corpus and a law give the gain to expect from each auxiliary layer."""
