"""Tests of the judge: both sides of every bound, and its words in full."""
