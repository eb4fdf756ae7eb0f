"""Files that users bring and runs leave: YAML, tables, the store, checked before use."""
