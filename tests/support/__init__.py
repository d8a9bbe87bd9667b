"""What the tests stand on: trees, waiting, real servers, the real daemon and one fake program."""
