"""The syntax tree: what was written, with a span on every node. `file.SourceFile` is the root."""
