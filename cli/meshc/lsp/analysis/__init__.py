"""What an editor is told about a program: from texts and places to plain values, without a word of the protocol."""
