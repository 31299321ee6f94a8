"""pytest-llmbench."""
