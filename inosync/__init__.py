"""inosync keeps directories mirrored on other machines within seconds."""

__version__ = "1.0.0"
