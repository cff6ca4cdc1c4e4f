"""Clusters: found or started, seen live, and ended."""
