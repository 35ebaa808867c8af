"""The smallest edit of a program that turns the verdict about a request, tried out before it is offered."""
