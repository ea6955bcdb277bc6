"""GUI toolkits: their loops, turned by the thread that waits for the prompt."""
