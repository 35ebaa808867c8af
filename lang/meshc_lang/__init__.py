"""The language wing: text to syntax tree and back; spans, diagnostics, units, grammar, formatter.

It imports nothing of the other wings. Read in the order in which control passes: `source` (texts and spans),
`parser` (text to tree, with recovery), `tree` (what a statement is), `format` (tree and comments back to text);
`diagnostic` and `codes` are the vocabulary in which every stage speaks to the user.
"""
