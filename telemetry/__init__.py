"""How every process says what happens: lines of a log that a person and a machine can read, and traces."""
