"""Values to the cluster and back."""
