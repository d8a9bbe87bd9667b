"""The config script, and the frozen values that it becomes. Looks at paths; starts nothing."""
