"""Tests of the command ``llmbench``."""
