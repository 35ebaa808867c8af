"""Translation validation: emitted files are read back by other code than wrote them, and proved equal to the program.

`expected` says what one workload's slice means, in no target's words; a reader for each target says what a file of the
target means, by the target's own documentation; `comparison` proves the two equal or tells what differs, with a
request. Nothing here imports an emitter, and no emitter imports anything of this.
"""
