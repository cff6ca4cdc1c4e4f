"""The only place that touches private API of Ray; one guarded module a library."""
