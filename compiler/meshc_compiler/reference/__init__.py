"""The fields of blocks as data: what the compiler takes, what editors offer and what the reference lists is one."""
