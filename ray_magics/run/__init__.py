"""A run of work on the cluster, from its launch to its end."""
