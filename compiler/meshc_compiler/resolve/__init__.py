"""Names to what they mean: `symbol` (who bears a name), `group` (who is in a group), `peer` (the ends of an edge)."""
