"""The running program: waits, tells the engine what happens, does what it wants done."""
