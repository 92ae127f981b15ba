"""Between wire and arrays: the only place that knows both the rows people send and the matrices the engine takes."""
