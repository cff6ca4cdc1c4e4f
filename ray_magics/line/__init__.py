"""What stands behind a magic: options, parsers, completion, defaults."""
