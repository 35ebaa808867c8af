"""What the tests of a program reach, the tests that are missing, and the changes that no test would notice."""
