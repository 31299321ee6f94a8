"""Tests of the baselines: their format, what is kept, and the files."""
