"""What a change of a program does: requests opened, closed, sent elsewhere or treated otherwise, and who is who."""
