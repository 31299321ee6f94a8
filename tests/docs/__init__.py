"""The documentation, executed: what a page shows is what the code does."""
