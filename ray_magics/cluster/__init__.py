"""The cluster: found or started, shown, and put away (`%ray_init`, `%ray_status`, `%ray_shutdown`, ...)."""
