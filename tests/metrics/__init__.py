"""Tests of the metrics: definitions, edges, and values computed elsewhere."""
