"""One arm's shipped checkpoint as a model repo: what it holds, what its card says, what must not be in it."""
