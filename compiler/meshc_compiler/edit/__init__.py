"""An edit of a program that was compiled before: what of it has to be compiled again, and what can be kept.

`outline` says where each statement stands and of whom it speaks, `window` which of them an edit changed, `reach` which
others are needed to know what they mean, and `local` compiles those alone. Each of them rather gives up than guesses:
then the program is compiled as a whole.
"""
