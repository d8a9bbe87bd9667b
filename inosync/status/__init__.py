"""How things are: values, and the shapes in which people and programs see them. Pure."""
